"""Failures: which labels of a held-out source are confused, and which of its episodes fail.

Input: what happened in each evaluation episode. Output: a short record for each source, which is stored next
to the source's scores.

    failures = failures_of("bank", {4: outcomes})
    failures.confused[0].gold, failures.confused[0].predicted, failures.confused[0].count
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict

from metamapping.config.sources import TaskType

# What is stored of a source: it has to stay small with hundreds of sources and labels.
MAX_CONFUSED, MAX_EPISODES, MAX_CONFUSED_IN_EPISODE, MAX_LABEL_CHARACTERS = 12, 3, 3, 80

# The label that was given and the one that was predicted. For `ner` one of them is `None` where an entity
# was missed or made up, and where texts have any number of labels, a label was.
Pair = tuple[str | None, str | None]


class EpisodeOutcome(NamedTuple):
    """What happened in one evaluation episode.

    Attributes:
        labels: The episode's labels.
        score: Accuracy, or entity micro-F1 for ``ner``; from 0 to 1.
        gold: How many queries, or entities, have each label.
        confused: How often each label was confused with another.
        measures: What else was measured, by name, such as the mean absolute error of grades.
    """

    labels: tuple[str, ...]
    score: float
    gold: Counter[str]
    confused: Counter[Pair]
    measures: Mapping[str, float] = MappingProxyType({})


class ConfusedLabels(BaseModel):
    """A label that was confused with another one.

    Attributes:
        gold: The true label; ``None`` for entities that were made up.
        predicted: The predicted label; ``None`` for entities that were missed.
        count: Number of queries, or of entities.
        out_of: How many with the true label were in episodes that offer both labels; 0 for entities that
            were made up.
    """

    model_config = ConfigDict(frozen=True)

    gold: str | None
    predicted: str | None
    count: int
    out_of: int


class FailedEpisode(BaseModel):
    """One of the episodes with the lowest scores.

    Attributes:
        shots: Support examples per label.
        number: Position among the episodes of this number of shots, counted from 1.
        labels: The episode's labels.
        score: Accuracy, or entity micro-F1 for ``ner``; from 0 to 1.
        confused: The labels that were confused most often.
    """

    model_config = ConfigDict(frozen=True)

    shots: int
    number: int
    labels: list[str]
    score: float
    confused: list[ConfusedLabels]


class SourceFailures(BaseModel):
    """Where a model fails on one held-out source.

    Attributes:
        source: The source's name.
        task_type: The source's task type.
        queries: Number of queries, or for ``ner`` of entities, over all episodes with examples.
        confused: The labels that were confused most often in these episodes.
        episodes: The episodes with the lowest scores, the lowest first.
    """

    model_config = ConfigDict(frozen=True)

    source: str
    task_type: TaskType
    queries: int
    confused: list[ConfusedLabels]
    episodes: list[FailedEpisode]

    @property
    def nothing(self) -> str:
        """What stands for ``None`` in a pair of labels."""
        return "no entity" if self.task_type == "ner" else "no label"


def measures_of(outcomes: Sequence[EpisodeOutcome]) -> dict[str, list[float]]:
    """What else was measured in some episodes: a number for each of them, by the name of the measure.

    Args:
        outcomes: The episodes of one source at one number of shots.
    """
    names = outcomes[0].measures if outcomes else {}
    return {name: [outcome.measures[name] for outcome in outcomes] for name in names}


def failures_of(
    source: str, task_type: TaskType, outcomes: Mapping[int, Sequence[EpisodeOutcome]]
) -> SourceFailures:
    """Summarise the failures of a source.

    Args:
        source: The source's name.
        task_type: Its task type.
        outcomes: The episodes by number of shots. Those of zero shots only count where there are no others:
            they fail far more often, for the names of the labels alone.
    """
    counted = {shots: each for shots, each in outcomes.items() if shots > 0} or dict(outcomes)
    episodes = [
        (shots, number, outcome)
        for shots, drawn in counted.items()
        for number, outcome in enumerate(drawn, 1)
    ]
    failed = [each for each in episodes if each[2].confused]
    worst = sorted(failed, key=lambda each: (each[2].score, each[0], each[1]))[:MAX_EPISODES]
    return SourceFailures(
        source=source,
        task_type=task_type,
        queries=sum(outcome.gold.total() for _, _, outcome in episodes),
        confused=_most_confused([outcome for _, _, outcome in episodes], MAX_CONFUSED),
        episodes=[
            FailedEpisode(
                shots=shots,
                number=number,
                labels=[_shortened(label) for label in outcome.labels],
                score=outcome.score,
                confused=_most_confused([outcome], MAX_CONFUSED_IN_EPISODE),
            )
            for shots, number, outcome in worst
        ],
    )


def _most_confused(outcomes: Sequence[EpisodeOutcome], number: int) -> list[ConfusedLabels]:
    total: Counter[Pair] = Counter()
    for outcome in outcomes:
        total += outcome.confused
    # Of equal counts the first by name: the order of the episodes must not matter.
    ranked = sorted(total.items(), key=lambda item: (-item[1], *map(str, item[0])))[:number]
    return [
        ConfusedLabels(
            gold=None if gold is None else _shortened(gold),
            predicted=None if predicted is None else _shortened(predicted),
            count=count,
            out_of=sum(
                outcome.gold[gold] for outcome in outcomes if predicted is None or predicted in outcome.labels
            )
            if gold is not None
            else 0,
        )
        for (gold, predicted), count in ranked
    ]


def _shortened(label: str) -> str:
    return label if len(label) <= MAX_LABEL_CHARACTERS else f"{label[:MAX_LABEL_CHARACTERS]}…"
