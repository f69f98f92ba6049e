"""Tags: converts NER tags of any scheme to BIO.

Sources use IO (`I-PER`, or just the type `PER`, for every word of an entity), BIO, and BIOES or BILOU
(`S`/`U` for an entity of one word, `E`/`L` for the last word of a longer one). In BIO an `I-` must continue
an entity of the same type; otherwise it is malformed, or begins an entity if tags are repaired. All
sentences of a source have one scheme, so ``find_scheme`` looks at all tags of the source.

    scheme = find_scheme(["O", "I-PER"])                      # "IO"
    to_bio(["I-PER", "I-PER", "O"], scheme, repair=False)     # ["B-PER", "I-PER", "O"]
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Literal

Scheme = Literal["IO", "BIO"]

OUTSIDE = "O"
_PREFIXED = re.compile(r"([BIESLU])-(.+)", re.DOTALL)
_BEGIN_OR_INSIDE = {"B": "B", "S": "B", "U": "B", "I": "I", "E": "I", "L": "I"}


class MalformedTagError(ValueError):
    """A tag does not fit the scheme, or continues no entity; the message is the tag."""


def find_scheme(tags: Iterable[str]) -> Scheme:
    """Return the scheme of a source; BIOES and BILOU count as BIO.

    Args:
        tags: All different tags of the source.
    """
    prefixes = {tag[:1] if _PREFIXED.fullmatch(tag) else "" for tag in tags if tag != OUTSIDE}
    return "IO" if prefixes <= {"I"} or prefixes == {""} else "BIO"


def to_bio(tags: list[str], scheme: Scheme, *, repair: bool, drop: frozenset[str] = frozenset()) -> list[str]:
    """Convert the tags of one sentence to BIO.

    Args:
        tags: One tag for each word.
        scheme: The scheme of the source.
        repair: Let an `I-` that continues no entity begin one.
        drop: Entity types whose tags become outside.

    Raises:
        MalformedTagError: A tag does not fit the scheme and is not repaired.
    """
    bio = []
    previous = ""  # the entity type that an I- may continue
    for tag in tags:
        if tag == OUTSIDE:
            bio.append(tag)
            previous = ""
            continue
        match = _PREFIXED.fullmatch(tag)
        if match is None and scheme == "BIO":
            raise MalformedTagError(tag)
        prefix, kind = (_BEGIN_OR_INSIDE[match[1]], match[2]) if match else ("I", tag)
        if prefix == "I" and kind != previous:
            if scheme == "BIO" and not repair:
                raise MalformedTagError(tag)
            prefix = "B"
        bio.append(OUTSIDE if kind in drop else f"{prefix}-{kind}")
        # E, L, S and U end an entity, so that nothing is left to continue.
        previous = "" if match and match[1] in "ESLU" else kind
    return bio


def is_tag(value: str) -> bool:
    """Return whether a value can only be a tag: outside, or a type with the prefix of a scheme.

    >>> is_tag("O"), is_tag("B-PER"), is_tag("PER")
    (True, True, False)
    """
    return value == OUTSIDE or _PREFIXED.fullmatch(value) is not None


def entity_type(tag: str) -> str:
    """Return the entity type of a tag, without its prefix.

    >>> entity_type("B-PER"), entity_type("PER")
    ('PER', 'PER')
    """
    match = _PREFIXED.fullmatch(tag)
    return match[2] if match else tag
