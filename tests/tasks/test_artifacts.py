"""Keys of artifacts are valid and belong to one run; a model card fits Prefect's pages."""

from __future__ import annotations

import pytest
from prefect.client.schemas.actions import ArtifactCreate

from tasks.artifacts import artifact_key, without_front_matter

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


def test_a_card_is_shown_without_metadata_and_without_pictures_that_are_not_there() -> None:
    shown = without_front_matter(CARD)
    assert shown.startswith("# demo")
    assert "license" not in shown
    assert "learning-curve.png" not in shown
    assert "Text --- with dashes.\n\n---\n\n## Results" in shown
    assert without_front_matter(shown) == shown
