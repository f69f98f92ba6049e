"""A simulated learner that trains in milliseconds: stochastic gradient descent on a quadratic function.

Each train source pulls the parameters towards its own optimum with noisy gradients; the accuracy on a
held-out source falls with the squared distance from 1. So the learner saturates at a noise floor that depends
on the learning rate, oscillates or diverges with too large steps, and is harmed by a source whose optimum
lies elsewhere. Its true accuracy is known exactly.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from metamapping.config.episodes import EpisodeSpec
from metamapping.config.rounds import AdjustmentSpec, ConvergenceSpec
from metamapping.config.training import TrainingSpec
from metamapping.rounds.adjustment import adjust
from metamapping.rounds.next_round import mean_of_rounds, settings_of, start_round, training_of_mean
from metamapping.rounds.records import Cell, Round, RoundReport, TrainingReport
from metamapping.rounds.settings import AdjustableSettings
from metamapping.rounds.verdict import judge
from metamapping.training.gradient_agreement import gradient_cosines

DIM = 10
NUM_EPISODES = 30


@dataclass(frozen=True)
class SimulatedLearner:
    """A learner whose true accuracy is known.

    Attributes:
        optima: The value towards which each train source pulls the parameters; 1 is the right one.
        gradient_noise: Standard deviation of the gradient's noise.
        validation_sources: Names of the held-out sources.
        seed: Seed of all random draws.
    """

    optima: Mapping[str, float] = field(
        default_factory=lambda: {"coffee": 1.0, "books": 1.0, "hotel": 1.0, "intents": 1.0}
    )
    gradient_noise: float = 1.0
    validation_sources: Sequence[str] = ("garden", "insurance", "doctor", "news")
    seed: int = 0

    def quality(self, theta: np.ndarray) -> float:
        """Return the true mean accuracy of parameters: 0.5 for the untrained ones, at most 0.8."""
        return float(0.5 + 0.3 * (1.0 - np.clip(np.mean((theta - 1.0) ** 2), 0.0, 2.0)))

    def train(
        self, start: np.ndarray, training: TrainingSpec, round_number: int
    ) -> tuple[np.ndarray, TrainingReport]:
        """Train one round from ``start``; the loss is NaN where the parameters have diverged."""
        rng = np.random.default_rng([self.seed, 1, round_number])
        names = list(self.optima)
        weights = np.array([training.source_weights.get(name, 1.0) for name in names])
        theta, losses = start.copy(), []
        for _ in range(training.meta_steps):
            name = names[rng.choice(len(names), p=weights / weights.sum())]
            noise = rng.normal(size=DIM) * self.gradient_noise
            gradient = theta - self.optima[name] + noise
            losses.append((name, 0.5 + float(np.mean((theta - self.optima[name]) ** 2))))
            theta = theta - training.learning_rate * (gradient + training.weight_decay * theta)
            if np.abs(theta).max() > 1e6:
                losses.append((name, float("nan")))
                break
        report = TrainingReport(
            meta_steps=len(losses),
            seconds=float(len(losses)),
            learning_rate=training.learning_rate,
            loss=float(np.mean([loss for _, loss in losses[-len(losses) // 4 :]])),
            source_losses={
                name: float(np.mean(own))
                for name in names
                if (own := [loss for source, loss in losses if source == name])
            },
            source_weights=dict(training.source_weights),
            agreements=self.agreements(theta, rng),
        )
        return theta, report

    def agreements(self, theta: np.ndarray, rng: np.random.Generator) -> dict[str, float]:
        """Return the cosine similarity of each source's gradient to the sum of the others' gradients.

        Each gradient is the mean of two noisy ones.
        """
        noise = self.gradient_noise / np.sqrt(2)
        gradients = {n: theta - o + rng.normal(size=DIM) * noise for n, o in self.optima.items()}
        return gradient_cosines(gradients) if np.isfinite(theta).all() else {}

    def evaluate(self, theta: np.ndarray, round_number: int) -> list[Cell]:
        """Measure noisy scores on the fixed episodes."""
        cells = []
        for number, source in enumerate(self.validation_sources):
            easy = np.random.default_rng([self.seed, 2, number]).normal(size=NUM_EPISODES) * 0.1
            rng = np.random.default_rng([self.seed, 3, number, round_number])
            scores = self.quality(theta) + easy + rng.normal(size=NUM_EPISODES) * 0.05
            cells.append(
                Cell(
                    source=source,
                    task_type="text-classification",
                    shots=4,
                    scores=list(scores),
                    baseline=list(0.5 + easy),
                )
            )
        return cells


@dataclass(frozen=True)
class SimulatedRun:
    """A finished run: its history and the true accuracy of each round's parameters, from round 0 on."""

    history: list[Round]
    qualities: list[float]

    @property
    def published_quality(self) -> float:
        """The true accuracy of the round that the last verdict calls the best."""
        return self.qualities[self.history[-1].verdict.best_round]


def simulate(
    learner: SimulatedLearner,
    *,
    training: TrainingSpec,
    convergence: ConvergenceSpec,
    adjustment: AdjustmentSpec,
) -> SimulatedRun:
    """Train, evaluate, judge and adjust until the verdict is final."""
    configured = AdjustableSettings(training=training, episodes=EpisodeSpec())
    checkpoints, history = [np.zeros(DIM)], []
    while not history or not history[-1].verdict.is_final:
        now = settings_of(configured, history).training
        number, shares = len(history) + 1, mean_of_rounds(history)
        if shares:
            theta = np.sum([share * checkpoints[n] for n, share in shares.items()], axis=0)
            trained = training_of_mean([r.report for r in history], shares)
        else:
            theta, trained = learner.train(checkpoints[start_round(history)], now, number)
        report = RoundReport(
            round=number,
            checkpoint=f"round-{number}",
            training=trained,
            cells=learner.evaluate(theta, number),
        )
        verdict = judge([*(r.report for r in history), report], convergence)
        changes = adjust(history, report, verdict, configured, adjustment)
        history.append(Round(report=report, verdict=verdict, adjustments=changes))
        checkpoints.append(theta)
    return SimulatedRun(history, [learner.quality(theta) for theta in checkpoints])
