"""A tokenizer's file, read as something that anybody may have written.

``tokenizer.json`` is data, not code, but it says what is done with each text, and may say to double it
thirty times. What it makes of texts is bounded here; that its numbers fit an encoder is
``publishing``'s to check.

    tokenizer = read_tokenizer(folder / "tokenizer.json", max_length_tokens=64)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from tokenizers import Tokenizer

from metamapping.errors import StoreError, one_line
from metamapping.storage.bounded_json import read_json

_MAX_BYTES = 64_000_000  # those of the largest vocabularies have 35 million
_MOST_GROWTH = 64

T = TypeVar("T")


def read_tokenizer(path: Path, *, max_length_tokens: int) -> Tokenizer:
    """The tokenizer of a file, set to truncate and not to pad. Raises ``StoreError``."""
    try:
        growth = _growth(read_json(path, max_bytes=_MAX_BYTES))
        if growth > _MOST_GROWTH:
            raise ValueError(f"its normalizers may make a text {growth:.0f} times longer")
        tokenizer = said_by_tokenizer(lambda: Tokenizer.from_file(str(path)))
        tokenizer.no_padding()
        tokenizer.enable_truncation(max_length_tokens)
        special = max(tokenizer.num_special_tokens_to_add(is_pair) for is_pair in (False, True))
        if special >= max_length_tokens:
            raise ValueError(f"it adds {special} tokens to a text that may have {max_length_tokens}")
    except (OSError, ValueError, OverflowError, RecursionError) as error:
        raise StoreError(
            f"{path} is no tokenizer that can be used ({one_line(error)}): copy or write the folder again"
        ) from error
    return tokenizer


def said_by_tokenizer(call: Callable[[], T]) -> T:
    """What ``call`` answers. Raises ``ValueError`` for whatever the tokenizer raises, panics too."""
    try:
        return call()
    except (KeyboardInterrupt, SystemExit, GeneratorExit, MemoryError):
        raise
    except BaseException as error:  # a panic of Rust is no ``Exception``, such as of a pattern that runs on
        raise ValueError(f"the tokenizer cannot read this: {one_line(error)}") from error


def _growth(described: Any) -> float:
    """How many times longer its normalizers may make a text."""
    growth = 1.0
    for each in _objects(described.get("normalizer") if isinstance(described, dict) else None):
        if each.get("type") == "Replace":
            pattern = each.get("pattern")
            length = len(str(pattern.get("String", " "))) if isinstance(pattern, dict) else 1
            growth *= max(1.0, len(str(each.get("content", ""))) / max(1, length))
    return growth


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    """A normalizer and those in it."""
    waiting = [value]
    while waiting:
        each = waiting.pop()
        if isinstance(each, dict):
            yield each
            waiting += each.values()
        elif isinstance(each, list):
            waiting += each
