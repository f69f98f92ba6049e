"""Entity scores: the entities of BIO tags, and micro-F1 of whole entities.

gold, found = entity_spans(0, ["B-PER", "O"]), entity_spans(0, ["B-PER", "I-PER"])
entity_f1(gold, found)                                                      # 0.0
"""

from __future__ import annotations

from collections.abc import Sequence

from metamapping.corpus.tags import OUTSIDE

Span = tuple[int, int, int, str]  # sentence, first word, word after the last, type


def entity_spans(sentence: int, tags: Sequence[str]) -> set[Span]:
    """The entities of a sentence's BIO tags.

    As in conlleval, an I- tag that does not continue an entity of its type begins a new one.

    Args:
        sentence: The sentence's number, which becomes part of each span.
        tags: One BIO tag for each word.
    """
    spans: set[Span] = set()
    start, kind = 0, OUTSIDE
    for i, tag in enumerate([*tags, OUTSIDE]):
        continues = tag.startswith("I-") and tag[2:] == kind
        if not continues:
            if kind != OUTSIDE:
                spans.add((sentence, start, i, kind))
            start, kind = i, OUTSIDE if tag == OUTSIDE else tag[2:]
    return spans


def entity_f1(gold: set[Span], predicted: set[Span]) -> float:
    """Micro-F1, ``2·|gold ∩ predicted| / (|gold| + |predicted|)``; 1 if both sets are empty.

    Args:
        gold: The true entities of all sentences, from ``entity_spans``.
        predicted: The predicted entities of the same sentences.

    Returns:
        From 0 to 1.
    """
    total = len(gold) + len(predicted)
    return 2 * len(gold & predicted) / total if total else 1.0
