"""Tag doubts: entity types that are probably another type, spelled in another way.

tag_doubts([["B-PER", "I-PER"], ["B-per"]])    # that PER and per differ only in capital letters
tag_doubts([["B-PER", "B-PRE", "O"]])          # that PRE only follows PER, as if it were misspelled
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from metamapping.config.labels import look_alike
from metamapping.corpus.tags import OUTSIDE


def tag_doubts(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return a sentence for each entity type that is probably another one, misspelled.

    A type is, if it differs from another only in capitals, or if its entities all begin where one of a type
    of nearly the same name ends: a misspelled `I-` tag begins an entity of another type.

    Args:
        rows: The BIO tags of each sentence.
    """
    types = {tag[2:] for row in rows for tag in row if tag != OUTSIDE}
    return look_alike(types) + [
        f"the entity type {kind!r} only occurs directly after {other!r}: if it is a misspelling, correct it"
        for kind, other in _continued(rows)
    ]


def _continued(rows: Sequence[Sequence[str]]) -> list[tuple[str, str]]:
    """Types that only begin directly after one type of a similar name, with that type."""
    before: defaultdict[str, set[str]] = defaultdict(set)
    for row in rows:
        for tag, previous in zip(row, [OUTSIDE, *row], strict=False):
            if tag.startswith("B-"):
                before[tag[2:]].add(previous[2:])
    pairs = [(kind, next(iter(others))) for kind, others in sorted(before.items()) if len(others) == 1]
    return [
        (kind, other)
        for kind, other in pairs
        if other and kind.casefold() != other.casefold() and _is_one_slip(kind.casefold(), other.casefold())
    ]


def _is_one_slip(a: str, b: str) -> bool:
    """Whether names differ by a letter too many, too few or wrong, or by two letters that changed places."""
    if len(a) != len(b):
        shorter, longer = sorted((a, b), key=len)
        return len(shorter) > 1 and any(
            longer[:i] + longer[i + 1 :] == shorter for i, letter in enumerate(longer) if letter.isalpha()
        )
    places = [i for i in range(len(a)) if a[i] != b[i]]
    if len(places) == 1:
        (i,) = places
        return len(a) > 1 and a[i].isalpha() and b[i].isalpha()
    return len(places) == 2 and a[places[0] : places[1] + 1] == b[places[0] : places[1] + 1][::-1]
