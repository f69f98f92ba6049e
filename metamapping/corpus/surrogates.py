r"""Surrogates: halves of characters, which JSON can spell (``\ud83d`` alone) and UTF-8 cannot.

encodable("\ud83d\ude00 fine \ud83d")         # "😀 fine �"
"""

from __future__ import annotations

import pyarrow as pa


def string_array(values: list[str | None]) -> pa.Array:
    """Return texts as an Arrow array, their surrogates joined or replaced.

    Args:
        values: The texts.
    """
    try:
        return pa.array(values, pa.string())
    except UnicodeEncodeError:
        return pa.array(
            [None if value is None else without_surrogates(value) for value in values], pa.string()
        )


def list_array(values: list[list[str] | None]) -> pa.Array:
    """Return lists of texts as an Arrow array, their surrogates joined or replaced.

    Args:
        values: The lists.
    """
    try:
        return pa.array(values, pa.list_(pa.string()))
    except UnicodeEncodeError:
        joined = [None if value is None else [without_surrogates(item) for item in value] for value in values]
        return pa.array(joined, pa.list_(pa.string()))


def without_surrogates(text: str) -> str:
    """Return a text with its surrogate pairs joined to characters, and lone surrogates replaced.

    Args:
        text: A text that may not be encodable as UTF-8.
    """
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def encodable(text: str) -> str:
    r"""Return a text with unpaired surrogates, which JSON can spell (``\ud83d``), joined or replaced.

    Args:
        text: The text; it is unchanged if it has none.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        return without_surrogates(text)
    return text
