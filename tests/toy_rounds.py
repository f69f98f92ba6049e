"""Toy rounds for tests: a few lines make a report, a history, a loop."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from metamapping.rounds.records import Cell, RoundReport, TrainingReport

NUM_EPISODES = 20


def toy_report(
    round: int,
    accuracy: float | Mapping[str, float],
    *,
    untrained: float = 0.5,
    noise: float = 0.0,
    loss: float = 1.0,
    source_losses: Mapping[str, float] | None = None,
    seconds: float = 10.0,
) -> RoundReport:
    """A report of two held-out sources (or those named), each a cell of 20 episodes at 4 shots.

    Episodes differ in difficulty, the same way every round; ``noise`` is what differs beside.
    """
    by_source = accuracy if isinstance(accuracy, Mapping) else {"hotel": accuracy, "bank": accuracy}
    cells = []
    for number, (source, mean) in enumerate(by_source.items()):
        difficulty = _centred(np.random.default_rng([7, number])) * 0.1
        luck = _centred(np.random.default_rng([8, number, round])) * noise
        cells.append(
            Cell(
                source=source,
                task_type="text-classification",
                shots=4,
                scores=list(mean + difficulty + luck),
                baseline=list(untrained + difficulty),
            )
        )
    training = TrainingReport(
        meta_steps=10,
        seconds=seconds,
        learning_rate=1e-3,
        loss=loss,
        source_losses=dict(source_losses or {"coffee": loss, "books": loss}),
        source_weights={},
    )
    return RoundReport(round=round, checkpoint=f"round-{round}", training=training, cells=cells)


def toy_history(accuracies: Sequence[float | Mapping[str, float]], **options: float) -> list[RoundReport]:
    """Rounds 1, 2, … with these accuracies."""
    return [toy_report(i + 1, accuracy, **options) for i, accuracy in enumerate(accuracies)]


def _centred(rng: np.random.Generator) -> np.ndarray:
    values = rng.normal(size=NUM_EPISODES)
    standard: np.ndarray = (values - values.mean()) / values.std()
    return standard
