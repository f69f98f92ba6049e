"""Keys of artifacts are valid and belong to one run; a model card fits Prefect's pages."""

from __future__ import annotations

from pathlib import Path

import pytest
from prefect.client.schemas.actions import ArtifactCreate

from tasks.artifacts import artifact_key, shown_card

CARD = """---
license: mit
tags:
- few-shot
---
# demo

Text --- with dashes.

---

![learning curve](learning-curve.png)

## Results
| a | b |
| --- | --- |
"""


@pytest.mark.parametrize("run", ["demo-1f0c", "My.Run_2+b-1f0c", "Run-", "a"])
def test_keys_are_valid_for_prefect(run: str) -> None:
    key = artifact_key("rounds", run)
    assert ArtifactCreate(key=key, type="markdown", data="").key == key
    assert key.startswith("rounds-")


def test_two_runs_share_no_key() -> None:
    assert artifact_key("rounds", "demo-1") != artifact_key("rounds", "demo-2")


def test_a_card_is_shown_without_metadata_and_with_its_picture_inside(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text(CARD)
    (tmp_path / "learning-curve.png").write_bytes(b"a picture")
    shown = shown_card(tmp_path)
    assert shown.startswith("# demo")
    assert "license" not in shown
    assert "Text --- with dashes.\n\n---\n\n![learning curve](data:image/png;base64,YSBwaWN0dXJl)" in shown
    assert shown.endswith("## Results\n| a | b |\n| --- | --- |\n")


def test_a_picture_that_is_not_there_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text(CARD)
    assert "learning" not in shown_card(tmp_path)
