"""Cleaning: changes texts by an ordered list of named cleaners.

A cleaner is a function, and a pattern that matches all texts which the function may change. Only matching
texts are passed to the function: most texts need no cleaning, and Arrow finds the others many times faster
than Python could clean all. For ``ner`` each word is cleaned by itself, and their number never changes.

    clean_texts(pa.array(["caf&eacute;  noir"]), ["html", "whitespace"])     # ["café noir"]
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from metamapping.config.corpus import CleanerName, CleaningSpec
from metamapping.corpus.markup import without_markup


class Cleaner(NamedTuple):
    """``clean`` leaves every text unchanged in which ``pattern`` (RE2) finds nothing."""

    pattern: str
    clean: Callable[[str], str]


def clean_texts(texts: pa.Array, cleaners: Sequence[CleanerName]) -> pa.Array:
    """Apply cleaners to texts.

    Args:
        texts: Strings; null stays null.
        cleaners: The names of the cleaners in their order.
    """
    for name in cleaners:
        cleaner = CLEANERS[name]
        hit = pc.and_kleene(pc.match_substring_regex(texts, cleaner.pattern), texts.is_valid())
        if hit.true_count:
            changed = [cleaner.clean(text) for text in texts.filter(hit).to_pylist()]
            texts = pc.replace_with_mask(texts, hit, string_array(changed))
    return texts


def string_array(texts: Sequence[str]) -> pa.Array:
    """Texts as an Arrow array, without importing pandas, which ``pa.array`` does to recognize its columns.

    Args:
        texts: The texts, together less than 2 GB.

    Raises:
        UnicodeEncodeError: A text has half of a surrogate pair.
    """
    encoded = [text.encode() for text in texts]
    offsets = np.cumsum([0, *map(len, encoded)], dtype=np.int32)
    buffers = pa.py_buffer(offsets), pa.py_buffer(b"".join(encoded))
    return pa.StringArray.from_buffers(len(encoded), *buffers)


def are_empty(texts: Sequence[str], cleaners: Sequence[CleanerName] | None = None) -> list[bool]:
    """Return whether nothing is left of each text after cleaning.

    Args:
        texts: The texts.
        cleaners: The names of the cleaners in their order; by default those of ``CleaningSpec``.
    """
    try:
        column = string_array(texts)
    except UnicodeEncodeError:  # half of a surrogate pair, which is something
        column = string_array([text.encode("utf-8", "replace").decode() for text in texts])
    cleaned = clean_texts(column, CleaningSpec().cleaners if cleaners is None else cleaners)
    return [not text.strip() for text in cleaned.to_pylist()]


def clean_words(words: pa.ListArray, cleaners: Sequence[CleanerName]) -> pa.ListArray:
    """Apply cleaners to each word by itself, so that the number of words stays the same.

    A word that cleaning would split is joined again, and one that it would empty is left unchanged.

    Args:
        words: The words of each row; null stays null.
        cleaners: The names of the cleaners in their order.
    """
    different = words.flatten().dictionary_encode()
    before = different.dictionary
    after = [
        "".join(new.split()) or old
        for old, new in zip(before.to_pylist(), clean_texts(before, cleaners).to_pylist(), strict=True)
    ]
    cleaned = pa.array(after, pa.string()).take(different.indices)
    lengths = words.value_lengths().fill_null(0).to_numpy()
    offsets = pa.array(np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32))
    return pa.ListArray.from_arrays(offsets, cleaned, mask=words.is_null())


# Zero-width joiners have a meaning in Persian, in Indic scripts and between emoji: they are only removed
# next to ASCII, where they have none.
_INVISIBLE = re.compile(
    r"[\x00-\x08\x0e-\x1b\x7f\x80-\x84\x86-\x9f\u00ad\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064"
    r"\u2066-\u206f\ufeff\ufff9-\ufffb]|(?<![^\x00-\x7f])[\u200c\u200d]|[\u200c\u200d](?![^\x00-\x7f])"
)
_URL = re.compile(r"(?:https?://|www\.)[^\s<>\"]+", re.IGNORECASE)
_USER = re.compile(r"(?<![\w@.])@\w{1,30}")


def _encoding(text: str) -> str:
    import ftfy  # most texts do not need it

    return str(ftfy.fix_encoding(text))


def _unicode(text: str) -> str:
    return unicodedata.normalize("NFC", text)


def _control(text: str) -> str:
    return _INVISIBLE.sub("", text)


def _whitespace(text: str) -> str:
    return " ".join(text.split())


def _urls(text: str) -> str:
    return _URL.sub("http", text)


def _users(text: str) -> str:
    return _USER.sub("@user", text)


# The placeholders are those of TweetEval (github.com/cardiffnlp/tweeteval), which encoders of tweets know.
CLEANERS: dict[CleanerName, Cleaner] = {
    "encoding": Cleaner(r"[^\x00-\x7f]", _encoding),
    "html": Cleaner(r"&[#A-Za-z]|<[/!A-Za-z]", without_markup),
    "unicode": Cleaner(r"[^\x00-\x7f]", _unicode),
    "control": Cleaner(r"[\x00-\x08\x0e-\x1b\x7f]|[^\x00-\x7f]", _control),
    "urls": Cleaner(r"(?i)https?://|www\.", _urls),
    # In RE2 \w matches only ASCII, in Python all letters.
    "users": Cleaner(r"@(?:\w|[^\x00-\x7f])", _users),
    "whitespace": Cleaner(r"^\s|\s$|\s\s|[\t\n\v\f\r\x1c-\x1f]|[^\x00-\x7f]", _whitespace),
}
