"""Word bounds: where the words of a text begin and end, for texts that are given without their words.

Words are split as BERT splits them: at white space, with each punctuation mark as a word of its own, and each
Chinese or Japanese character as well, because those scripts have no spaces. The split depends on no encoder,
so that a corpus is prepared once for all of them, and a task that was adapted from spans reads new texts like
its examples. See docs/decisions/spans.md.

    word_bounds("Eve's in 東京.")       # [(0, 3), (3, 4), (4, 5), (6, 8), (9, 10), (10, 11), (11, 12)]
"""

from __future__ import annotations

import re
from functools import lru_cache

from tokenizers import Regex
from tokenizers.pre_tokenizers import BertPreTokenizer, PreTokenizer, Sequence, Split

_SURROGATE = re.compile("[\ud800-\udfff]")


def word_bounds(text: str) -> list[tuple[int, int]]:
    """Return the start and end of each word, in characters, in the order of the text.

    Args:
        text: Any text. Everything but white space belongs to exactly one word.
    """
    # Half of a surrogate pair has no UTF-8, which tokenizers use; the replacement has the same length.
    encodable = _SURROGATE.sub("\ufffd", text)
    return [bounds for _, bounds in _pre_tokenizer().pre_tokenize_str(encodable)]


@lru_cache(maxsize=1)
def _pre_tokenizer() -> PreTokenizer:
    ideographs = Split(Regex(r"[\p{Han}\p{Hiragana}\p{Katakana}]"), behavior="isolated")
    return Sequence([ideographs, BertPreTokenizer()])
