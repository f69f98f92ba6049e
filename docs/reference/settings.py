"""A hook of the site: the settings of a run, as `--help` lists them, in place of ``{{ settings }}``."""

from __future__ import annotations

import re
from typing import Any

from metamapping.config.loading import describe_settings

PLACE = "{{ settings }}"


def on_page_markdown(markdown: str, **_: Any) -> str:
    """The page with a list of settings where its place is."""
    return markdown.replace(PLACE, "\n".join(map(_item, describe_settings().splitlines())))


def _item(line: str) -> str:
    """``name (default 1): what it does`` → a list's item with the name as code."""
    name = re.split(r"[: ]", line.strip(), maxsplit=1)[0]
    return line.strip().replace(name, f"- `{name}`", 1)
