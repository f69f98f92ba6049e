"""Tags: converts NER tags of any scheme to BIO.

Sources use IO (`I-PER`, or just the type `PER`, for every word of an entity), BIO, and BIOES or BILOU
(`S`/`U` for an entity of one word, `E`/`L` for the last word of a longer one). Tags without a type (`B`,
`I`) are entities of one type, ``UNTYPED``. In BIO an `I-` must continue an entity of the same type;
otherwise it is malformed, or begins an entity if tags are repaired. All sentences of a source have one
scheme, so ``find_scheme`` looks at all tags of the source. A tag that fits no scheme is never guessed:
it is malformed, and ``nearest_scheme`` says what was probably meant.

    scheme = find_scheme(["O", "I-PER"])                      # "IO"
    to_bio(["I-PER", "I-PER", "O"], scheme, repair=False)     # ["B-PER", "I-PER", "O"]
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from typing import Any, Literal

Scheme = Literal["IO", "BIO", "untyped"]

OUTSIDE = "O"
UNTYPED = "entity"  # the type of entities whose tags have none
_PREFIXED = re.compile(r"([BIESLU])-(.+)", re.DOTALL)
# M is what BMES writes for I.
_BEGIN_OR_INSIDE = {"B": "B", "S": "B", "U": "B", "I": "I", "E": "I", "L": "I", "M": "I"}
# Spellings that only look like a prefix (`b-per`, `B_PER`) or have it at the end (`PER-B`).
_OTHER_PREFIX = re.compile(r"([BIESLUM])[-_:./|](.+)", re.DOTALL | re.IGNORECASE)
_SUFFIXED = re.compile(r"(.+)[-_:./|]([BIESLUM])", re.DOTALL)
_BARE_PREFIX = re.compile(r"[BIESLUM][-_:./|]", re.IGNORECASE)
_OUTSIDE_LIKE = frozenset(["o", "0", "", "-", "_", "*"])


class MalformedTagError(ValueError):
    """A tag does not fit the scheme, or continues no entity; the message is the tag."""


def find_scheme(tags: Iterable[str]) -> Scheme:
    """Return the scheme of a source; BIOES and BILOU count as BIO.

    Args:
        tags: All different tags of the source.
    """
    different = {tag for tag in tags if tag != OUTSIDE and tag not in _OUTSIDE_LIKE}
    if different and different <= set(_BEGIN_OR_INSIDE) and different & {"B", "I"}:
        return "untyped"
    if {"B", "I"} <= different:
        return "BIO"  # in which those without a type are malformed
    prefixes = {tag[:1] if _PREFIXED.fullmatch(tag) else "" for tag in different}
    if prefixes <= {"I"} or (prefixes == {""} and not _have_other_prefixes(different)):
        return "IO"
    return "BIO"


def read_bio(rows: Sequence[Any], *, what: str, numbers: Sequence[int] | None = None) -> list[list[str]]:
    """Convert the tags of all sentences of a source to BIO; an `I-` that continues no entity begins one.

    Args:
        rows: The tags of each sentence.
        what: What the user calls a sentence, for error messages, such as ``row``.
        numbers: Number of each sentence, for error messages. Default: from 0.

    Raises:
        ValueError: A tag fits no scheme; the message has its sentence and the nearest scheme.
    """
    numbers = range(len(rows)) if numbers is None else numbers
    for number, tags in zip(numbers, rows, strict=True):
        for tag in tags:
            if not isinstance(tag, str):
                raise ValueError(f"{what} {number} has the tag {tag!r}: {nearest_scheme(str(tag))}")
    scheme = find_scheme({tag for tags in rows for tag in tags})
    converted = []
    for number, tags in zip(numbers, rows, strict=True):
        try:
            converted.append(to_bio(list(tags), scheme, repair=True))
        except MalformedTagError as error:
            tag = str(error)
            raise ValueError(f"{what} {number} has the tag {tag!r:.80}: {nearest_scheme(tag)}") from error
    return converted


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
        if not fits(tag, scheme):
            raise MalformedTagError(tag)
        match = _PREFIXED.fullmatch(tag)
        letter = match[1] if match else tag if scheme == "untyped" else "I"
        prefix, kind = _BEGIN_OR_INSIDE[letter], entity_type(tag, scheme)
        if prefix == "I" and kind != previous:
            if scheme != "IO" and not repair:
                raise MalformedTagError(tag)
            prefix = "B"
        bio.append(OUTSIDE if kind in drop else f"{prefix}-{kind}")
        # E, L, S and U end an entity, so that nothing is left to continue.
        previous = "" if letter in "ESLU" else kind
    return bio


def is_tag(value: str) -> bool:
    """Return whether a value can only be a tag: outside, or a type with the prefix of a scheme.

    >>> is_tag("O"), is_tag("B-PER"), is_tag("PER")
    (True, True, False)
    """
    return value == OUTSIDE or _PREFIXED.fullmatch(value) is not None


def fits(tag: str, scheme: Scheme) -> bool:
    """Return whether a tag belongs to a scheme.

    Args:
        tag: A tag as the source writes it.
        scheme: The scheme of the source.
    """
    if tag == OUTSIDE:
        return True
    if scheme == "untyped":
        return tag in _BEGIN_OR_INSIDE
    if _PREFIXED.fullmatch(tag):
        return True
    return scheme == "IO" and _is_type(tag)


def entity_type(tag: str, scheme: Scheme = "BIO") -> str:
    """Return the entity type of a tag, without its prefix.

    >>> entity_type("B-PER"), entity_type("PER"), entity_type("B", "untyped")
    ('PER', 'PER', 'entity')

    Args:
        tag: A tag that is not outside and fits the scheme.
        scheme: The scheme of the tag.
    """
    match = _PREFIXED.fullmatch(tag)
    return match[2] if match else UNTYPED if scheme == "untyped" else tag


def entity_types(tags: Collection[str], scheme: Scheme | None = None) -> set[str]:
    """Return the entity types of tags that fit their scheme, which is found if it is not given.

    Args:
        tags: Tags of one source; outside is left out.
        scheme: Their scheme; ``None`` to find it.
    """
    scheme = find_scheme(tags) if scheme is None else scheme
    return {entity_type(tag, scheme) for tag in tags if tag != OUTSIDE and fits(tag, scheme)}


def nearest_scheme(tag: str) -> str:
    """Return a sentence that says how a tag that fits no scheme should have been written.

    >>> nearest_scheme("o")
    "outside of entities is written 'O', a capital letter"

    Args:
        tag: The tag that fits no scheme.
    """
    if tag in _OUTSIDE_LIKE:
        return "outside of entities is written 'O', a capital letter"
    if tag.lstrip("-").isdecimal():
        return "a tag is a text such as 'O' or 'B-PER': name the numbers (of a source by `labels`)"
    if tag in _BEGIN_OR_INSIDE:
        return (
            "tags without a type (B, I) are read only if no tag has a type: the nearest scheme is BIO, with "
            f"'{_BEGIN_OR_INSIDE[tag]}-type'"
        )
    if _BARE_PREFIX.fullmatch(tag):
        alone = tag[0].upper()
        return f"after a prefix comes the type, as in 'B-PER'; tags without a type are written '{alone}'"
    if match := _OTHER_PREFIX.fullmatch(tag):
        prefix, kind = match[1].upper(), match[2]
    elif match := _SUFFIXED.fullmatch(tag):
        prefix, kind = match[2], match[1]
    else:
        return f"tags are O, B-type or I-type: the nearest scheme is BIO, with 'B-{tag:.40}'"
    if prefix == "M":
        return f"the nearest scheme is BIOES, with 'I-{kind:.40}'"
    name = {"B": "BIO", "I": "BIO", "E": "BIOES", "S": "BIOES"}.get(prefix, "BILOU")
    return f"the nearest scheme is {name}, with '{prefix}-{kind:.40}'"


def _is_type(tag: str) -> bool:
    """Whether a tag without a prefix can be an entity type; numbers and punctuation cannot."""
    if tag in _OUTSIDE_LIKE or _BARE_PREFIX.fullmatch(tag):
        return False
    return "*" not in tag and any(map(str.isalpha, tag))


def _have_other_prefixes(tags: Collection[str]) -> bool:
    """Whether all tags have a prefix in another spelling, or at their end."""
    letters = {match[1].upper() for tag in tags if (match := _OTHER_PREFIX.fullmatch(tag))}
    if letters & {"B", "I"} and all(map(_OTHER_PREFIX.fullmatch, tags)):
        return True
    letters = {match[2] for tag in tags if (match := _SUFFIXED.fullmatch(tag))}
    return "B" in letters and all(map(_SUFFIXED.fullmatch, tags))
