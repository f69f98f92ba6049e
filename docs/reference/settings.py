"""MkDocs hook that replaces ``{{ settings }}`` in a page by the list of settings that ``--help`` prints."""

from __future__ import annotations

import re
from typing import Any

from metamapping.config.loading import describe_settings

PLACEHOLDER = "{{ settings }}"


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Replace the placeholder in a page by a Markdown list of all settings."""
    return markdown.replace(PLACEHOLDER, "\n".join(map(_list_item, describe_settings().splitlines())))


def _list_item(line: str) -> str:
    """``name (default 1): description`` as a list item with the name as code."""
    name = re.split(r"[: ]", line.strip(), maxsplit=1)[0]
    return line.strip().replace(name, f"- `{name}`", 1)
