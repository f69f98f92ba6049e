"""Tokenizer file: reads a ``tokenizer.json`` that anybody may have written.

Input: the path of a file. Output: a tokenizer. The file is data, not code, but it describes how texts are
changed, and a hostile one may double them thirty times. Here the growth of texts is bounded; ``publishing``
checks that the token ids fit the encoder.

    tokenizer = read_tokenizer(folder / "tokenizer.json", max_length_tokens=64)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from tokenizers import Tokenizer

from metamapping.errors import StoreError, one_line
from metamapping.storage.bounded_json import read_json

_MAX_BYTES = 64_000_000  # The files of the largest vocabularies have 35 million bytes.
_MAX_GROWTH = 64  # times the length of a text

T = TypeVar("T")


def read_tokenizer(path: Path, *, max_length_tokens: int) -> Tokenizer:
    """Read a tokenizer, and set it to truncate and not to pad.

    Args:
        path: The file ``tokenizer.json``.
        max_length_tokens: The length that texts are truncated to, including special tokens.

    Raises:
        StoreError: The file is missing, damaged or unsafe, or its special tokens leave no room for a text.
    """
    try:
        growth = _growth(read_json(path, max_bytes=_MAX_BYTES))
        if growth > _MAX_GROWTH:
            raise ValueError(f"its normalizers may make a text {growth:.0f} times longer")
        tokenizer = call_tokenizer(lambda: Tokenizer.from_file(str(path)))
        tokenizer.no_padding()
        tokenizer.enable_truncation(max_length_tokens)
        special = max(tokenizer.num_special_tokens_to_add(is_pair) for is_pair in (False, True))
        if special >= max_length_tokens:
            raise ValueError(f"it adds {special} tokens to a text that may have {max_length_tokens}")
    except (OSError, ValueError, OverflowError, RecursionError) as error:
        raise StoreError(
            f"{path} is not a usable tokenizer ({one_line(error)}): copy or write the folder again"
        ) from error
    return tokenizer


def call_tokenizer(call: Callable[[], T]) -> T:
    """Return the result of a call into the library tokenizers.

    Args:
        call: A function without arguments.

    Raises:
        ValueError: The library raised anything, a panic of its Rust code included.
    """
    try:
        return call()
    except (KeyboardInterrupt, SystemExit, GeneratorExit, MemoryError):
        raise
    # A panic of Rust, as of a regular expression that backtracks without end, is not an `Exception`.
    except BaseException as error:
        raise ValueError(f"the tokenizer cannot read this: {one_line(error)}") from error


def _growth(described: Any) -> float:
    """How many times longer the normalizers of a tokenizer may make a text."""
    growth = 1.0
    for each in _objects(described.get("normalizer") if isinstance(described, dict) else None):
        if each.get("type") == "Replace":
            pattern = each.get("pattern")
            length = len(str(pattern.get("String", " "))) if isinstance(pattern, dict) else 1
            growth *= max(1.0, len(str(each.get("content", ""))) / max(1, length))
    return growth


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    """All JSON objects in a value: a normalizer and those nested in it."""
    waiting = [value]
    while waiting:
        each = waiting.pop()
        if isinstance(each, dict):
            yield each
            waiting += each.values()
        elif isinstance(each, list):
            waiting += each
