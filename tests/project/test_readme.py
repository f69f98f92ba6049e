"""The commands in the README exist, its links lead to files, and its Python runs."""

import re
from pathlib import Path

import pytest

from metamapping.config.loading import read_config

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
README = PAGES[0].read_text(encoding="utf-8")


def blocks(text, language):
    return re.findall(rf"^```{language}\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files(page):
    links = re.findall(r"\]\((?!https?:)([^)#]+)\)", page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_make_targets_exist():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = {
        match
        for page in PAGES[:2]
        for block in blocks(page.read_text(encoding="utf-8"), "console")
        for match in re.findall(r"^make ([a-z0-9-]+)", block, flags=re.MULTILINE)
    }
    assert {"demo", "test", "server", "worker", "deploy"} <= targets
    assert [target for target in targets if not re.search(rf"^{target}:", makefile, flags=re.MULTILINE)] == []


def test_configurations_named_in_the_readme_are_valid():
    named = set(re.findall(r"flows\.meta_pretraining (\S+\.yaml)", README))
    assert named
    for path in named:
        read_config(ROOT / path)


def test_the_python_program_of_the_readme_runs(published):
    (code,) = blocks(README, "python")
    scope = {}
    exec(code.replace("path/to/published", str(published)), scope)
    assert scope["mapping"].labels == ("wrong size", "refund", "person")
    assert scope["mapping"].predict_proba(["i want my money back"]).shape == (1, 3)


def test_the_readme_is_short():
    assert len(README.splitlines()) <= 150
