"""Typed mentions: a sentence with tagged entities as pairs of sentence and mention.

A CoNLL file in a ``text-classification`` source gives one record an entity: the sentence is the
text, the mention the second text, and the entity's type the label.

    list(mentions(["Ada", "Lovelace", "wrote"], ["B-person", "I-person", "O"]))
    # [("Ada Lovelace", "person")]
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from metamapping.corpus.tags import OUTSIDE, entity_type


def mentions(words: Sequence[str], tags: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Each entity's words, joined by one space, and its type; tags of any scheme."""
    current: list[str] = []
    kind = OUTSIDE
    for word, tag in zip([*words, ""], [*tags, OUTSIDE], strict=True):
        here = OUTSIDE if tag == OUTSIDE else entity_type(tag)
        if current and (here != kind or tag[:2] in ("B-", "S-", "U-")):
            yield " ".join(current), kind
            current = []
        if here != OUTSIDE:
            current.append(word)
        kind = here
