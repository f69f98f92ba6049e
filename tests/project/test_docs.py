"""The commands and code in the documentation run, and its site builds without warnings."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from metamapping.config.schema import RunConfig
from tests.project.test_readme import README, ROOT, blocks

TUTORIAL = (ROOT / "docs/tutorial.md").read_text(encoding="utf-8")
HOW_TO = sorted((ROOT / "docs/how-to").glob("*.md"))


@pytest.fixture
def checkout(tmp_path, published):
    """A folder as after `make demo`: the bundled samples, and a run that has published."""
    shutil.copytree(ROOT / "samples", tmp_path / "samples")
    shutil.copytree(published, tmp_path / ".metamapping/runs/demo-0123456789abcdef/published")
    return tmp_path


def run_in_shell(block, folder):
    """Run a console block, and return its output; the first command that fails is an error."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    process = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", block],
        cwd=folder,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
    )
    assert process.returncode == 0, process.stderr
    return process.stdout


@pytest.mark.slow
def test_the_shell_session_of_the_readme_runs(checkout, published):
    (session,) = [block for block in blocks(README, "console") if "metamapping adapt" in block]
    output = run_in_shell(session.replace("path/to/published", str(published)), checkout)
    assert re.search(r"^322 rows +score", output, flags=re.MULTILINE)
    assert '"text": "it has not arrived", "prediction": ' in output
    assert "saved task" in output


@pytest.mark.slow
def test_the_tutorial_runs_from_its_first_block_to_its_last(checkout, monkeypatch, capsys):
    monkeypatch.chdir(checkout)
    scope, output = {}, ""
    pattern = re.compile(r"^```(console|python)\n(.*?)^```", flags=re.MULTILINE | re.DOTALL)
    for language, block in pattern.findall(TUTORIAL):
        if language == "python":
            exec(block, scope)
        elif not block.startswith("make demo"):  # it has an end-to-end test of its own
            output += run_in_shell(block, checkout)
    assert "('delivery', 'refund', 'defect') 6" in capsys.readouterr().out
    assert "published encoder" in output
    assert re.search(r"^322 rows +score", output, flags=re.MULTILINE)


@pytest.mark.parametrize("page", HOW_TO, ids=lambda page: page.stem)
def test_the_python_blocks_of_the_how_tos_run(page, published, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    scope = {}
    for block in blocks(page.read_text(encoding="utf-8"), "python"):
        exec(block.replace("path/to/published", str(published)), scope)


@pytest.mark.parametrize("page", HOW_TO, ids=lambda page: page.stem)
def test_the_configurations_of_the_how_tos_are_valid(page):
    for block in blocks(page.read_text(encoding="utf-8"), "yaml"):
        RunConfig.model_validate(yaml.safe_load(block))


def test_every_command_is_in_the_reference():
    from metamapping.cli import app

    page = (ROOT / "docs/reference/shell.md").read_text(encoding="utf-8")
    commands = [command.name or command.callback.__name__ for command in app.registered_commands]
    assert [name for name in commands if f"`metamapping {name} " not in page] == []


def test_the_site_builds_without_a_warning(tmp_path):
    process = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path)],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
    )
    assert (process.returncode, process.stdout, process.stderr) == (0, "", "")
    reference = (tmp_path / "reference/library.html").read_text(encoding="utf-8")
    for name in ("from_pretrained", "zero_shot", "predict_proba", "confidence", "MetaMappingClassifier"):
        assert name in reference
    configuration = (tmp_path / "reference/configuration.html").read_text(encoding="utf-8")
    assert "<code>training.meta_steps</code> (default 100): Number of meta-steps per round." in configuration
