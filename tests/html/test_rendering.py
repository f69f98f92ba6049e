"""Pages load nothing and run nothing, whatever the texts in them are."""

import re

import pytest
from jinja2 import UndefinedError

from metamapping.html.rendering import TEMPLATES, render_page, to_bytes
from tests.html.reading import HOSTILE, check_harmless

TASK = {
    "version": "0",
    "folder": "x",
    "task_type": "text-classification",
    "is_ner": False,
    "is_multi_label": False,
    "num_examples": 1,
    "encoder": "0",
    "is_measured": False,
    "outcome": "",
    "tiles": [],
    "remarks": [],
    "labels": [],
    "has_names": False,
    "confusion": None,
    "suspicious": None,
    "noise": "",
    "errors": [],
    "more_errors": 0,
    "examples": [],
    "places": [],
}


@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_becomes_an_element_or_an_attribute(text):
    content = TASK | {"outcome": text, "remarks": [text], "places": [{"what": text, "path": text}]}
    read = check_harmless(render_page("task.html", title=text, name=text, **content))
    assert read.text.count(text) >= 5


def test_a_name_that_is_not_given_is_an_error():
    with pytest.raises(UndefinedError, match="remarks"):
        render_page("task.html", title="t", name="n", **{k: v for k, v in TASK.items() if k != "remarks"})


def test_only_the_style_sheet_is_not_escaped():
    found = [
        line
        for template in TEMPLATES.glob("*.html")
        for line in template.read_text().splitlines()
        if re.search(r"\|\s*safe|autoescape|Markup", line)
    ]
    assert found == ["<style>{{ style | safe }}</style>"]


def test_every_attribute_of_the_templates_is_quoted():
    for template in TEMPLATES.glob("*.html"):
        assert not re.search(r"=\{\{", template.read_text()), template.name


def test_the_style_sheet_is_for_light_and_dark_and_loads_nothing():
    style = (TEMPLATES / "style.css").read_text()
    assert "prefers-color-scheme: dark" in style
    assert not re.search(r"url\(|@import|</", style)


def test_a_lone_surrogate_does_not_stop_a_page():
    assert to_bytes("a\ud800b") == b"a?b"
