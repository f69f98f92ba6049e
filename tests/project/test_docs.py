"""The commands and code in the documentation run, and its site builds without warnings."""

import os
import re
import shutil
import subprocess
import sys

import pytest
import yaml

from metamapping.config.loading import describe_settings
from metamapping.config.schema import RunConfig
from tests.pages import blocks_of, run_in_shell
from tests.project.test_readme import README, ROOT, blocks

TUTORIAL = (ROOT / "docs/tutorial.md").read_text(encoding="utf-8")
# The blocks of runtime.md are run by tests/runtime/test_export.py: they need files of their own.
HOW_TO = sorted(page for page in (ROOT / "docs/how-to").glob("*.md") if page.stem != "runtime")


@pytest.fixture
def checkout(tmp_path, published):
    """A folder as after `make demo`: the bundled samples, and a run that has published."""
    shutil.copytree(ROOT / "samples", tmp_path / "samples")
    shutil.copytree(published, tmp_path / ".metamapping/runs/demo-0123456789abcdef/published")
    return tmp_path


@pytest.mark.slow
def test_the_shell_session_of_the_readme_runs(checkout, published):
    (session,) = [block for block in blocks(README, "console") if "metamapping adapt" in block]
    output = run_in_shell(session.replace("path/to/published", str(published)), checkout)
    assert re.search(r"^322 rows +score", output, flags=re.MULTILINE)
    assert '"text": "i want my money back", "prediction": ' in output


def test_every_block_of_the_tutorial_that_prints_says_what():
    printing = [
        block for block in blocks_of(TUTORIAL) if "print(" in block.code or "metamapping" in block.code
    ]
    assert len(printing) >= 7
    assert [block.code for block in printing if not block.expected] == []


def test_nothing_is_written_outside_folders_that_git_ignores():
    ignored = (ROOT / ".gitignore").read_text(encoding="utf-8").split()
    assert {"my-tasks/", ".metamapping/"} <= set(ignored)
    for block in blocks_of(TUTORIAL):
        pattern = r"(?: > |--out )([\w./-]+)" if block.language == "console" else r"save\(\"([\w./-]+)"
        written = re.findall(pattern, block.code)
        assert [path for path in written if not path.startswith("my-tasks/")] == []


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


def test_no_heading_has_become_one_line_with_the_text_below_it():
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "benchmarks").glob("*.md")]
    lines = [line for page in pages for line in page.read_text(encoding="utf-8").splitlines()]
    assert [line for line in lines if re.match("#+ ", line) and len(line) > 90] == []


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
    for cell in ("<code>meta_steps</code>", "whole number, ≥ 1", "Number of meta-steps per round."):
        assert f"<td>{cell}</td>" in configuration
    settings = [re.split(r"[: ]", line.strip(), maxsplit=1)[0] for line in describe_settings().splitlines()]
    shown = {name for name in settings if f"<code>{name}</code>" in configuration}
    shown |= {name for name in settings if f"<td><code>{name.split('.')[-1]}</code></td>" in configuration}
    assert set(settings) - shown == set()
