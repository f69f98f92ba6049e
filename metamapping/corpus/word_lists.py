"""Lists of words and of tags as one text, as fields of CSV and TSV contain them.

Words are separated by spaces. A list that could not be read back, because a word has spaces or is empty, is
a JSON array.

    list_text(["New", "York"]), list_text(["New York"])       # 'New York', '["New York"]'
    word_list('New York'), word_list('["New York"]')          # ["New", "York"], ["New York"]
"""

from __future__ import annotations

import json
from collections.abc import Sequence


def list_text(words: Sequence[str]) -> str:
    """Return a list as a text that ``word_list`` reads back.

    Args:
        words: The words; they may contain anything.
    """
    text = " ".join(words)
    return text if word_list(text) == list(words) else json.dumps(list(words), ensure_ascii=False)


def word_list(text: str) -> list[str]:
    """Return the words of a text, which are separated by spaces or are the strings of a JSON array.

    Args:
        text: The text.
    """
    if text.lstrip().startswith("["):
        try:
            words = json.loads(text)
        except (ValueError, RecursionError):
            words = None
        if isinstance(words, list) and all(isinstance(word, str) for word in words):
            return words
    return text.split()
