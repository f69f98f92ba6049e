"""Tags: NER tags of any scheme made BIO.

Schemes in the wild: IO (`I-PER`, or the bare type `PER`, for every word of an entity), BIO, and
BIOES or BILOU (`S`/`U` a single word, `E`/`L` the last one). In BIO an `I-` must continue an entity
of its own type; where it does not it is malformed, or begins an entity when repaired. The scheme is
the source's, not the sentence's: that is why ``find_scheme`` looks at all tags of a source.

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
    """A tag that fits no scheme, or continues nothing; the message is the tag."""


def find_scheme(tags: Iterable[str]) -> Scheme:
    """The scheme of a source from all its different tags; BIOES counts as BIO."""
    prefixes = {tag[:1] if _PREFIXED.fullmatch(tag) else "" for tag in tags if tag != OUTSIDE}
    return "IO" if prefixes <= {"I"} or prefixes == {""} else "BIO"


def to_bio(tags: list[str], scheme: Scheme, *, repair: bool, drop: frozenset[str] = frozenset()) -> list[str]:
    """The same tags as BIO; types in ``drop`` become outside. Raises ``MalformedTagError``."""
    bio = []
    previous = ""  # the type that an I- may continue
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
        # What ends an entity (E, L, S, U) leaves nothing to continue.
        previous = "" if match and match[1] in "ESLU" else kind
    return bio


def entity_type(tag: str) -> str:
    """The type that a tag speaks of, without its prefix.

    >>> entity_type("B-PER"), entity_type("PER")
    ('PER', 'PER')
    """
    match = _PREFIXED.fullmatch(tag)
    return match[2] if match else tag
