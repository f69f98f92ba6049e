"""What the documentation tells its readers to type runs, in a shell and in Python."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.test_readme import README, ROOT, blocks


@pytest.fixture
def desk(tmp_path):
    """A folder that holds the bundled samples, as a clone of the repository does."""
    shutil.copytree(ROOT / "samples", tmp_path / "samples")
    return tmp_path


def run_in_shell(block, folder):
    """The output of a console block; the first command that fails ends it."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    ended = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", block],
        cwd=folder,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


@pytest.mark.slow
def test_the_shell_session_of_the_readme_runs(desk, published):
    (session,) = [block for block in blocks(README, "console") if "metamapping adapt" in block]
    output = run_in_shell(session.replace("path/to/published", str(published)), desk)
    assert re.search(r"^322 rows +score", output, flags=re.MULTILINE)
    assert '"text": "it has not arrived", "prediction": ' in output
    assert "saved task" in output
