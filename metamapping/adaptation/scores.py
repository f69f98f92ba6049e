"""Scores of a task on labelled rows, with 95 % bootstrap intervals over the rows.

    text_scores(["a", "b"], ["a", None]).scores["accuracy"]           # 0.500 [0.000, 1.000]
    entity_scores([["B-PER", "O"]], [["B-PER", "O"]]).scores["entity F1"]

Every score is a function of three counts per label (correct, gold, predicted) that are summed over the rows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from metamapping.adaptation.bootstrap import Statistic, estimate, label_counts, resampled_sums, sums_by_group
from metamapping.adaptation.entity_scores import entity_spans
from metamapping.adaptation.grade_scores import grade_scores
from metamapping.rounds.intervals import Estimate

_WHOLE = "all labels"


@dataclass(frozen=True)
class LabelScore:
    """Precision, recall and F1 of one label.

    Attributes:
        label: The label.
        precision: Correct predictions / predictions.
        recall: Correct predictions / gold labels.
        f1: Harmonic mean of precision and recall.
        count: Number of rows (``ner``: entities) with this gold label.
    """

    label: str
    precision: float
    recall: float
    f1: float
    count: int


@dataclass(frozen=True)
class Confusion:
    """How often one label was predicted instead of another.

    Attributes:
        gold: The true label; ``None`` where there is no entity (``ner``).
        predicted: The predicted label; ``None`` for no label, or for no entity (``ner``).
        count: Number of rows, or of entities.
    """

    gold: str | None
    predicted: str | None
    count: int


@dataclass(frozen=True)
class Scores:
    """The scores of a task.

    Attributes:
        num_rows: Number of rows.
        scores: Scores of all rows, by name.
        labels: Scores of each label.
        confusions: What was predicted instead of what, the most frequent first.
    """

    num_rows: int
    scores: dict[str, Estimate]
    labels: list[LabelScore]
    confusions: list[Confusion]


def text_scores(
    gold: Sequence[str],
    predicted: Sequence[str | None],
    *,
    groups: Sequence[Hashable] | None = None,
    order: Sequence[str] | None = None,
) -> Scores:
    """Accuracy and macro-F1; of grades also the mean absolute error and the quadratic kappa.

    Args:
        gold: The true label of each row.
        predicted: The predicted label of each row. ``None`` is wrong, but no label's false positive.
        groups: The group of each row, such as a customer; the intervals are then over groups.
        order: The grades in their order. A row of which no grade is predicted counts as the worst grade for
            it; rows whose label is no grade are left out of both.

    Raises:
        ValueError: There are no rows.
    """
    pairs = list(zip(gold, predicted, strict=True))
    scores = _scores(
        correct=[[g] if g == p else [] for g, p in pairs],
        gold=[[g] for g, _ in pairs],
        predicted=[[] if p is None else [p] for _, p in pairs],
        statistics={"accuracy": _accuracy, "macro-F1": _macro_f1},
        confusions=[(g, p) for g, p in pairs if g != p],
        groups=groups,
    )
    if order is not None:
        scores.scores.update(grade_scores(pairs, list(order), groups))
    return scores


def list_scores(
    gold: Sequence[Sequence[str]],
    predicted: Sequence[Sequence[str]],
    *,
    groups: Sequence[Hashable] | None = None,
) -> Scores:
    """Macro-F1, micro-F1 and subset accuracy of rows that have any number of labels.

    Args:
        gold: The true labels of each row, each once.
        predicted: The predicted labels of each row, each once.
        groups: The group of each row; the intervals are then over groups.

    Raises:
        ValueError: There are no rows.
    """
    pairs = [(list(g), list(p)) for g, p in zip(gold, predicted, strict=True)]
    # One more column counts the rows all of whose labels are right; it is no label.
    wholes = [[_WHOLE] if sorted(g) == sorted(p) else [] for g, p in pairs]
    found = _scores(
        correct=[[label for label in g if label in p] for g, p in pairs],
        gold=[g for g, _ in pairs],
        predicted=[p for _, p in pairs],
        statistics={"macro-F1": _macro_f1, "micro-F1": _micro_f1},
        confusions=[],
        groups=groups,
    )
    subset = _scores(
        correct=wholes,
        gold=[[_WHOLE]] * len(pairs),
        predicted=wholes,
        statistics={"subset accuracy": _accuracy},
        confusions=[],
        groups=groups,
    )
    return replace(found, scores={**found.scores, **subset.scores})


def entity_scores(
    gold: Sequence[Sequence[str]],
    predicted: Sequence[Sequence[str]],
    *,
    groups: Sequence[Hashable] | None = None,
) -> Scores:
    """Micro-F1 of whole entities: both ends and the type must be correct, as in conlleval.

    An entity is confused with another type if both ends are right; with other ends it is missed.

    Args:
        gold: The true BIO tags of each row.
        predicted: The predicted BIO tags of each row.
        groups: The group of each row, such as a document; the intervals are then over groups.

    Raises:
        ValueError: There are no rows.
    """
    true, found = ([entity_spans(0, tags) for tags in rows] for rows in (gold, predicted))
    return _entity_scores(true, found, groups=groups)


def span_scores(
    gold: Sequence[Sequence[tuple[int, int, str]]], predicted: Sequence[Sequence[tuple[int, int, str]]]
) -> Scores:
    """Micro-F1 of whole entities that are spans of characters: both ends and the type must be correct.

    Args:
        gold: Start, end and type of the true entities of each row.
        predicted: Those of the predicted entities.

    Raises:
        ValueError: There are no rows.
    """
    return _entity_scores([set(row) for row in gold], [set(row) for row in predicted])


def _entity_scores(
    gold: Sequence[set[Any]], predicted: Sequence[set[Any]], *, groups: Sequence[Hashable] | None = None
) -> Scores:
    """The scores of entities, each a tuple of which the last item is the type."""
    both = [t & f for t, f in zip(gold, predicted, strict=True)]
    correct, gold_types, predicted_types = (
        [[kind for *_, kind in spans] for spans in rows] for rows in (both, gold, predicted)
    )
    return _scores(
        correct,
        gold_types,
        predicted_types,
        statistics={"entity F1": _micro_f1},
        confusions=[pair for t, f in zip(gold, predicted, strict=True) for pair in confused_entities(t, f)],
        groups=groups,
    )


def confused_entities(gold: set[Any], predicted: set[Any]) -> Iterator[tuple[str | None, str | None]]:
    """Compare the true entities with those that were found.

    Args:
        gold: The true entities, each a tuple of its place and, as the last item, its type.
        predicted: Those that were found.

    Yields:
        The true and the predicted type of each entity that was found with another type, missed, or made up;
        ``None`` where there is none.
    """
    true, found = ({span[:-1]: span[-1] for span in spans} for spans in (gold, predicted))
    for place in sorted({*true, *found}):
        if true.get(place) != found.get(place):
            yield true.get(place), found.get(place)


def _scores(
    correct: list[list[str]],
    gold: list[list[str]],
    predicted: list[list[str]],
    *,
    statistics: dict[str, Statistic],
    confusions: list[tuple[str | None, str | None]],
    groups: Sequence[Hashable] | None,
) -> Scores:
    if not gold:
        raise ValueError("no rows to evaluate: give at least one row with its label")
    labels = sorted({label for rows in (gold, predicted) for row in rows for label in row})
    counts = [label_counts(rows, labels) for rows in (correct, gold, predicted)]
    sums = [count.sum(axis=0)[None] for count in counts]
    resampled = resampled_sums(
        counts if groups is None else [sums_by_group(count, groups) for count in counts]
    )
    return Scores(
        num_rows=len(gold),
        scores={name: estimate(score, sums, resampled) for name, score in statistics.items()},
        labels=[
            LabelScore(label, _ratio(r, p), _ratio(r, g), _ratio(2 * r, g + p), int(g))
            for label, r, g, p in zip(labels, *(total[0] for total in sums), strict=True)
        ],
        confusions=[
            Confusion(*pair, count=count)
            for pair, count in sorted(
                Counter(confusions).items(), key=lambda item: (-item[1], *map(str, item[0]))
            )
        ],
    )


def _accuracy(correct: np.ndarray, gold: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    shares: np.ndarray = correct.sum(axis=1) / gold.sum(axis=1)
    return shares


def _micro_f1(correct: np.ndarray, gold: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    total = gold.sum(axis=1) + predicted.sum(axis=1)
    return np.where(total > 0, 2 * correct.sum(axis=1) / np.maximum(total, 1), 1.0)


def _macro_f1(correct: np.ndarray, gold: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """The mean over all labels that occur in gold or predictions, as in scikit-learn."""
    total = gold + predicted
    f1 = 2 * correct / np.maximum(total, 1)
    # A resample may have no label at all, where rows may have none.
    means: np.ndarray = f1.sum(axis=1) / np.maximum((total > 0).sum(axis=1), 1)
    return means


def _ratio(part: float, whole: float) -> float:
    return float(part / whole) if whole else 0.0
