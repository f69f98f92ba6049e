"""Confidence intervals of mean scores.

Input: scores, or differences of scores. Output: an ``Estimate``, the mean with its interval. Everything is
deterministic: the bootstrap draws from a fixed seed, so the same scores always give the same interval.

    bootstrap_mean([[differences_of_hotel], [differences_of_bank]]).is_gain
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict

# What an interval generalises to: `sources`, other sources like the measured ones (sources and episodes are
# resampled); `episodes`, further episodes of the measured sources (only episodes are resampled).
Population = Literal["sources", "episodes"]

CONFIDENCE = 0.95
NUM_RESAMPLES = 2_000
SEED = 0
# Summing the same scores in another order changes the mean by about 1e-16, which is not a gain.
ROUNDING = 1e-9

# The scores of one source: an array for each of its cells.
Group = Sequence[np.ndarray]


class Estimate(BaseModel):
    """A mean with its confidence interval.

    All three numbers are NaN where a score is not finite, and the ends of the interval also where there is
    only one score. Every comparison with NaN is false, so such an estimate is neither a gain nor a loss.

    Attributes:
        mean: The mean.
        low: Lower end of the interval.
        high: Upper end of the interval.
    """

    model_config = ConfigDict(frozen=True, ser_json_inf_nan="strings")

    mean: float
    low: float
    high: float

    @property
    def is_gain(self) -> bool:
        """Whether the whole interval lies above zero."""
        return self.low > ROUNDING

    @property
    def is_probable_gain(self) -> bool:
        """Whether more than half of the interval below the mean lies above zero: about five to one."""
        return self.mean + self.low > ROUNDING

    @property
    def is_loss(self) -> bool:
        """Whether the whole interval lies below zero."""
        return self.high < -ROUNDING

    @property
    def signed(self) -> str:
        """The estimate of a difference as text, with signs: ``+0.033 [+0.009, +0.063]``."""
        return f"{self.mean:+.3f} [{self.low:+.3f}, {self.high:+.3f}]"

    def __str__(self) -> str:
        return f"{self.mean:.3f} [{self.low:.3f}, {self.high:.3f}]"


UNKNOWN = Estimate(mean=float("nan"), low=float("nan"), high=float("nan"))


def mean_with_interval(values: Sequence[float], *, confidence: float = CONFIDENCE) -> Estimate:
    """Compute Student's interval of independent values, ``m ± t(n−1, (1+c)/2) · s / √n``.

    This is the usual way to report few-shot episodes (with 1.96 instead of t in Chen et al. 2019, "A closer
    look at few-shot classification"). It generalises to further episodes of the same source.

    Args:
        values: The values, at least one.
        confidence: Probability with which the interval contains the true mean, 0 to 1.

    Returns:
        The mean and its interval.

    Raises:
        ValueError: If there are no values.
    """
    array = _as_array(values)
    if not np.isfinite(array).all():
        return UNKNOWN
    mean = float(array.mean())
    if len(array) < 2:
        return UNKNOWN.model_copy(update={"mean": mean})
    # Imported here because most stages need SciPy for nothing else.
    from scipy.special import stdtrit

    t = float(stdtrit(len(array) - 1, (1 + confidence) / 2))
    half = t * float(array.std(ddof=1)) / len(array) ** 0.5
    return Estimate(mean=mean, low=mean - half, high=mean + half)


def bootstrap_mean(
    groups: Sequence[Group],
    *,
    population: Population = "sources",
    confidence: float = CONFIDENCE,
    num_resamples: int = NUM_RESAMPLES,
) -> Estimate:
    """Compute the percentile bootstrap interval of the mean over sources of means over cells.

    Each resample draws sources with replacement (unless ``population`` is ``episodes``) and then, separately
    for each drawn source, the episodes of its cells with replacement. This is the two-level bootstrap of
    Davison & Hinkley 1997, "Bootstrap methods and their application", section 3.8. With one source both
    populations give the same interval.

    Args:
        groups: For each source its cells, each an array of scores `(num_episodes,)`.
        population: What the interval generalises to: other sources, or other episodes of these sources.
        confidence: Probability with which the interval contains the true mean, 0 to 1.
        num_resamples: Number of bootstrap resamples.

    Returns:
        The mean over sources, each the mean of its cells' means, and its interval.

    Raises:
        ValueError: If there is no source, or a source without cells, or a cell without scores.
    """
    cells = [[_as_array(cell) for cell in group] for group in groups]
    if not cells or not all(cells):
        raise ValueError("no scores to resample: give at least one source with at least one cell")
    if not all(np.isfinite(cell).all() for group in cells for cell in group):
        return UNKNOWN
    rng = np.random.default_rng(SEED)
    shape = (num_resamples, len(cells))
    if population == "sources":
        drawn = rng.integers(len(cells), size=shape)
    else:
        drawn = np.broadcast_to(np.arange(len(cells)), shape)
    means = np.empty(shape)
    for source, group in enumerate(cells):
        slots = drawn == source
        count = int(slots.sum())
        means[slots] = np.mean([_resampled_means(rng, cell, count) for cell in group], axis=0)
    low, high = np.quantile(means.mean(axis=1), [(1 - confidence) / 2, (1 + confidence) / 2])
    mean = np.mean([np.mean([cell.mean() for cell in group]) for group in cells])
    return Estimate(mean=float(mean), low=float(low), high=float(high))


def _resampled_means(rng: np.random.Generator, values: np.ndarray, count: int) -> np.ndarray:
    """Means of ``count`` resamples of ``values``: ``(count,)``."""
    means: np.ndarray = values[rng.integers(len(values), size=(count, len(values)))].mean(axis=1)
    return means


def _as_array(values: Sequence[float] | np.ndarray) -> np.ndarray:
    array = np.asarray(values, dtype=np.float64)
    if not array.size:
        raise ValueError("an interval needs at least one score but got none: run at least one episode")
    return array
