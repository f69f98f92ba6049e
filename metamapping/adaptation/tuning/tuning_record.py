"""Tuning record: what tuning the encoder to a task decided, and why.

print(mapping.tuning)
# tuned (weight 1): the right labels of left-out examples became more probable by 18 % (… 6 layers, 8 steps …)
"""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Tuning:
    """The decision of the gate.

    Attributes:
        weight: How much of the change is used: 0 for the encoder as it is, 1 for all.
        steps: Number of steps that the tuned weights went through; those that estimated the gain in each fold
            are as many.
        seconds: Time that everything took.
        num_left_out: Number of examples that were left out in turn; 0 if there was no estimate.
        likelihood_before: Mean log probability of the right label of a left-out example, untuned.
        likelihood_after: The same at the best weight above 0, whether or not it was chosen.
        gain_error: Standard error of the difference.
        reason: Why this weight was chosen, as the end of a sentence.
        scale_factor: What the inverse temperature of the closed form is multiplied by: layers know the
            examples that they were tuned to too well to be calibrated by them alone. 1 if not tuned.
        num_layers: How many of the encoder's last layers were tuned; ``None`` for none, and in tasks of
            releases that did not record it.
    """

    weight: float
    steps: int
    seconds: float
    num_left_out: int
    likelihood_before: float | None
    likelihood_after: float | None
    gain_error: float | None
    reason: str
    scale_factor: float = 1.0
    num_layers: int | None = None

    @property
    def is_tuned(self) -> bool:
        """Whether the task has an encoder of its own."""
        return self.weight > 0

    def __str__(self) -> str:
        head = f"tuned (weight {self.weight:g})" if self.is_tuned else "not tuned"
        layers = "" if self.num_layers is None else f"{self.num_layers} layer{'s' * (self.num_layers > 1)}, "
        counts = f"{self.num_left_out} left-out examples, {layers}{self.steps} steps, {self.seconds:.1f} s"
        return f"{head}: {self.reason} ({counts})"


def gain_sentence(
    gain: float, error: float, expected: float, *, what: str = "labels of left-out examples"
) -> str:
    """What a difference of mean log probabilities means.

    Args:
        gain: Mean log probability after tuning minus that before.
        error: Its standard error; infinite if it is not known.
        expected: The gain that is expected, in view of what other tasks have gained as well.
        what: What has become more or less probable.
    """
    percent = 100 * (math.exp(gain) - 1)
    direction = "more" if percent >= 0 else "less"
    with_error = f"{gain:+.3f} ± {error:.3f}" if math.isfinite(error) else f"{gain:+.3f}"
    return (
        f"the right {what} became {direction} probable by {abs(percent):.0f} % "
        f"(log probability {with_error}; with what other tasks have gained, {expected:+.3f} is expected)"
    )
