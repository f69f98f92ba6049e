"""Cleaning: changes texts by an ordered list of named cleaners.

A cleaner is a function, and a pattern that matches all texts which the function may change. Only matching
texts are passed to the function, because most texts need no cleaning. For ``ner`` each word is cleaned by
itself, and their number never changes. ``column_cleaning`` does the same for the columns of corpora.

    cleaned_texts(["caf&eacute;  noir"], ["html", "whitespace"])     # ["café noir"]
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from typing import NamedTuple

from metamapping.config.corpus import CleanerName, CleaningSpec
from metamapping.corpus.markup import without_markup


class Cleaner(NamedTuple):
    """``clean`` leaves every text unchanged in which ``pattern`` finds nothing, in RE2 and in Python."""

    pattern: str
    clean: Callable[[str], str]


def cleaned_texts(texts: Sequence[str], cleaners: Sequence[CleanerName]) -> list[str]:
    """Apply cleaners to texts.

    Args:
        texts: The texts.
        cleaners: The names of the cleaners in their order.
    """
    cleaned = list(texts)
    for name in cleaners:
        # `re` keeps what it has compiled.
        clean, find = CLEANERS[name].clean, re.compile(CLEANERS[name].pattern).search
        cleaned = [clean(text) if find(text) else text for text in cleaned]
    return cleaned


def cleaned_words(texts: Sequence[Sequence[str]], cleaners: Sequence[CleanerName]) -> list[list[str]]:
    """Apply cleaners to each word by itself, so that the number of words stays the same.

    Args:
        texts: The words of each text.
        cleaners: The names of the cleaners in their order.
    """
    different = list({word for words in texts for word in words})
    pairs = zip(different, cleaned_texts(different, cleaners), strict=True)
    after = {old: cleaned_word(old, new) for old, new in pairs}
    return [[after[word] for word in words] for words in texts]


def cleaned_word(old: str, new: str) -> str:
    """A word after cleaning: joined again if that has split it, and unchanged if that has emptied it.

    Args:
        old: The word.
        new: What the cleaners make of it.
    """
    return "".join(new.split()) or old


def are_empty(texts: Sequence[str], cleaners: Sequence[CleanerName] | None = None) -> list[bool]:
    """Return whether nothing is left of each text after cleaning.

    Args:
        texts: The texts.
        cleaners: The names of the cleaners in their order; by default those of ``CleaningSpec``.
    """
    cleaned = cleaned_texts(texts, CleaningSpec().cleaners if cleaners is None else cleaners)
    return [not text.strip() for text in cleaned]


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
