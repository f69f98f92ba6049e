"""The tutorial, run from its first block to its last on the demo's own encoder, prints what it says."""

import re
import shutil

import pytest

from tests.e2e.command import ROOT, finish, start
from tests.pages import blocks_of, check_output, run_block

pytestmark = pytest.mark.slow

PAGE = (ROOT / "docs/tutorial.md").read_text(encoding="utf-8")


def test_the_tutorial_prints_what_it_says(tmp_path, monkeypatch):
    shutil.copytree(ROOT / "samples", tmp_path / "samples")
    demo, *blocks = blocks_of(PAGE)
    assert demo.code == "make demo\n"
    process = start(tmp_path / ".metamapping", config=ROOT / "configs/demo.yaml", machine=tmp_path)
    output = finish(process, timeout_seconds=3600)  # minutes on two cores that do nothing else
    # The command says first that it has started; a log, unlike a terminal, has the time before each line.
    output = re.sub(r"^[\d:]{8} ", "", output, flags=re.MULTILINE)
    check_output(demo._replace(expected=f"starting …{demo.expected}"), output)

    monkeypatch.chdir(tmp_path)
    scope: dict[str, object] = {}
    for block in blocks:
        check_output(block, run_block(block, tmp_path, scope))
