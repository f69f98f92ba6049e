"""Toy rounds for tests: short calls that make a round's report, or the reports of a whole run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from metamapping.rounds.records import Cell, RoundReport, TrainingReport

NUM_EPISODES = 20


def toy_report(
    round_number: int,
    accuracy: float | Mapping[str, float],
    *,
    untrained: float = 0.5,
    noise: float = 0.0,
    loss: float = 1.0,
    source_losses: Mapping[str, float] | None = None,
    seconds: float = 10.0,
) -> RoundReport:
    """Make the report of a round on two held-out sources, or on those named, at 4 shots and 20 episodes each.

    Args:
        round_number: Number of the round.
        accuracy: Mean score of all sources, or of each source by name.
        untrained: Mean score of the untrained encoder.
        noise: Standard deviation of the scores beyond the difficulty of the episodes, which is the same in
            all rounds and cancels out in differences.
        loss: Mean training loss.
        source_losses: Training loss of each train source; ``loss`` for two of them by default.
        seconds: Training time.
    """
    by_source = accuracy if isinstance(accuracy, Mapping) else {"hotel": accuracy, "bank": accuracy}
    cells = []
    for number, (source, mean) in enumerate(by_source.items()):
        difficulty = _standardised(np.random.default_rng([7, number])) * 0.1
        luck = _standardised(np.random.default_rng([8, number, round_number])) * noise
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
    return RoundReport(round=round_number, checkpoint=f"round-{round_number}", training=training, cells=cells)


def toy_history(accuracies: Sequence[float | Mapping[str, float]], **options: float) -> list[RoundReport]:
    """Make the reports of rounds 1, 2, … with these accuracies."""
    return [toy_report(i + 1, accuracy, **options) for i, accuracy in enumerate(accuracies)]


def _standardised(rng: np.random.Generator) -> np.ndarray:
    values = rng.normal(size=NUM_EPISODES)
    standard: np.ndarray = (values - values.mean()) / values.std()
    return standard
