"""What tuning is expected to gain on a task, from what left-out examples show and from other tasks.

So few examples say little: their standard error is mostly larger than the gain. Hence what they show is
combined, as two normal distributions, with what tuning has gained on other tasks.

    best, gain = best_share(evidence, PRIORS)
    weight = WEIGHTS[best] if is_worth_a_change(gain) else 0.0
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

# The shares of the change that are considered, besides none of it.
WEIGHTS = (0.5, 1.0)
# A smaller gain in log probability is not worth a change: without this limit the worst sources lost more, and
# the mean gained no more (docs/experiments/tuning.md).
LEAST_GAIN = 0.02
# Tasks with fewer or more examples of each label than these are treated as tasks with as many.
_FEWEST_SHOTS, _MOST_SHOTS = 4.0, 8.0


@dataclass(frozen=True)
class Prior:
    """What is expected of a share of the change before its gain on left-out examples is known.

    Attributes:
        offset: Mean gain in log probability of tasks of four examples of each label that the encoder predicts
            no better than chance.
        slope: How much the gain rises with the skill, up to a skill of 1.
        shots_slope: How much it rises with eight examples of each label instead of four.
        spread: Standard deviation of the gain of single tasks around that.
        mismatch: Standard deviation of the difference between the gain of a task and what its left-out
            examples would show if there were any number of them: the folds have fewer examples to learn from.
    """

    offset: float
    slope: float
    shots_slope: float
    spread: float
    mismatch: float

    def mean(self, skill: float, missing: float, shots: float) -> float:
        """The expected gain.

        Args:
            skill: As ``Evidence.skill``.
            missing: How much log probability there is to gain. No more than half of it is expected.
            shots: As ``Evidence.shots``.
        """
        skill, doublings = prior_terms(skill, shots)
        return min(self.offset + self.slope * skill + self.shots_slope * doublings, 0.5 * missing)


def prior_terms(skill: float, shots: float) -> tuple[float, float]:
    """What a prior's mean is linear in: the skill, and how often four examples of each label are doubled.

    Args:
        skill: As ``Evidence.skill``.
        shots: As ``Evidence.shots``.
    """
    shots = min(max(shots, _FEWEST_SHOTS), _MOST_SHOTS)
    return min(max(skill, 0.0), 1.0), math.log2(shots / _FEWEST_SHOTS)


# For each of WEIGHTS, fitted to train and validation sources of benchmarks/general.yaml:
# `python -m benchmarks.tuning_prior`.
PRIORS = (Prior(0.035, 0.062, -0.024, 0.066, 0.068), Prior(0.048, 0.059, -0.035, 0.087, 0.082))


class ShownGains(Protocol):
    """What the decision about a task rests on; see ``Evidence``."""

    @property
    def skill(self) -> float:
        """How much more log probability the encoder as it is gives to labels than a guess does."""

    @property
    def missing(self) -> float:
        """How much log probability there is to gain."""

    @property
    def shots(self) -> float:
        """Mean number of examples of each label that has any."""

    @property
    def gains(self) -> Iterable[float]:
        """Mean gain in log probability of left-out examples with each of ``WEIGHTS``."""

    @property
    def errors(self) -> Iterable[float]:
        """Their standard errors; infinite where not known."""


def best_share(shown: ShownGains, priors: Iterable[Prior]) -> tuple[int, float]:
    """Find the share of the change with the highest expected gain.

    Args:
        shown: What is known of a task.
        priors: What is known of each share.

    Returns:
        The position of the share, and its expected gain.
    """
    expected = [
        expected_gain(prior, shown, gain=float(gain), error=float(error))
        for prior, gain, error in zip(priors, shown.gains, shown.errors, strict=True)
    ]
    best = int(np.argmax(expected))
    return best, expected[best]


def is_worth_a_change(gain: float) -> bool:
    """Whether a task is tuned for an expected gain: only if it exceeds ``LEAST_GAIN``.

    Args:
        gain: The expected gain in log probability.
    """
    return gain > LEAST_GAIN


def expected_gain(prior: Prior, shown: ShownGains, *, gain: float, error: float) -> float:
    """The mean of the gain's posterior distribution.

    Args:
        prior: What is known of the share of the change.
        shown: What is known of a task.
        gain: Mean gain in log probability of left-out examples.
        error: Its standard error; infinite if it is not known.
    """
    variance = error**2 + prior.mismatch**2
    share = prior.spread**2 / (prior.spread**2 + variance)  # how far the left-out examples count
    mean = prior.mean(shown.skill, shown.missing, shown.shots)
    return mean + share * (gain - mean)
