"""Errors: the two exceptions that users see, and how messages quote values of any length in one line.

raise ConfigError(f"has no column {name!r:.80}, but {listed(columns)}: {one_line(error)}")
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

_MOST_CHARACTERS, _MOST_NAMES, _MOST_OF_A_NAME = 300, 20, 60


class ConfigError(ValueError):
    """A configuration that cannot be run; the message says where, what and how to mend it."""


class StoreError(RuntimeError):
    """Something in the store is not as it was written; the message names the file."""


def one_line(error: Any) -> str:
    """What an error says, in one line that is not endless."""
    text = " ".join(str(error).split()) or type(error).__name__
    return _cut(text, _MOST_CHARACTERS)


def listed(names: Collection[Any]) -> str:
    """Names with commas between them; of very many the first."""
    first = [_cut(str(name), _MOST_OF_A_NAME) for name, _ in zip(names, range(_MOST_NAMES), strict=False)]
    more = [f"… and {len(names) - len(first)} more"] if len(names) > len(first) else []
    return ", ".join([*first, *more])


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[:most]}…"
