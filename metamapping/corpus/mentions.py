"""Mentions: the entities of a tagged sentence, with their types.

A CoNLL file of a ``text-classification`` source is read as one record for each entity: the sentence is the
text, the mention is the second text, and the entity's type is the label.

    list(mentions(["Ada", "Lovelace", "wrote"], ["B-person", "I-person", "O"]))
    # [("Ada Lovelace", "person")]
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from metamapping.corpus.tags import OUTSIDE, entity_type


def mentions(words: Sequence[str], tags: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield each entity's words, joined by spaces, and its type.

    Args:
        words: The words of a sentence.
        tags: The tag of each word, in any scheme.
    """
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
