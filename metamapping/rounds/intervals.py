"""Intervals: how far a mean of scores may be from the truth.

Scores and differences of scores go in, an ``Estimate`` comes out. Everything here is deterministic:
the bootstrap draws from a fixed seed, so the same scores give the same interval.

    bootstrap_mean([[differences_of_hotel], [differences_of_bank]]).is_gain
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict

# What an interval speaks about: `sources`, any sources like the ones measured (both are resampled);
# `episodes`, these very sources (only their episodes are resampled).
Population = Literal["sources", "episodes"]

CONFIDENCE = 0.95
NUM_RESAMPLES = 2_000
SEED = 0
# Sums in another order differ by about 1e-16; no such difference is a gain.
ROUNDING = 1e-9

Group = Sequence[np.ndarray]  # one source: an array of scores for each of its cells


class Estimate(BaseModel):
    """A mean with the ends of its interval.

    All three are NaN where a score is not finite, the ends also where there is only one score: no
    comparison holds then, so it is neither a gain nor a loss.
    """

    model_config = ConfigDict(frozen=True, ser_json_inf_nan="strings")

    mean: float
    low: float
    high: float

    @property
    def is_gain(self) -> bool:
        """Above zero beyond its noise."""
        return self.low > ROUNDING

    @property
    def is_probable_gain(self) -> bool:
        """More than half of the lower arm above zero: five to one it is a gain."""
        return self.mean + self.low > ROUNDING

    @property
    def is_loss(self) -> bool:
        """Below zero beyond its noise."""
        return self.high < -ROUNDING

    @property
    def signed(self) -> str:
        """As a difference is written: ``+0.033 [+0.009, +0.063]``."""
        return f"{self.mean:+.3f} [{self.low:+.3f}, {self.high:+.3f}]"

    def __str__(self) -> str:
        return f"{self.mean:.3f} [{self.low:.3f}, {self.high:.3f}]"


UNKNOWN = Estimate(mean=float("nan"), low=float("nan"), high=float("nan"))


def mean_with_interval(values: Sequence[float], *, confidence: float = CONFIDENCE) -> Estimate:
    """Student's interval of independent values: ``m ± t(n−1, (1+c)/2) · s / √n``.

    The usual way to report few-shot episodes (with 1.96 in place of t: Chen et al. 2019, "A closer
    look at few-shot classification"). It speaks about further episodes of the same source.
    """
    array = _array(values)
    if not np.isfinite(array).all():
        return UNKNOWN
    mean = float(array.mean())
    if len(array) < 2:
        return UNKNOWN.model_copy(update={"mean": mean})
    from scipy.special import stdtrit  # most stages need SciPy for nothing else

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
    """Percentile interval of ``mean over sources of mean over cells of mean over episodes``.

    Each resample draws sources with replacement (unless ``population`` is ``episodes``) and, anew
    for each drawn source, the episodes of its cells with replacement: the two-level bootstrap of
    Davison & Hinkley 1997, "Bootstrap methods and their application", section 3.8. With one source
    both populations give the same interval. Raises ``ValueError`` on nothing to resample.
    """
    cells = [[_array(cell) for cell in group] for group in groups]
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


def _array(values: Sequence[float] | np.ndarray) -> np.ndarray:
    array = np.asarray(values, dtype=np.float64)
    if not array.size:
        raise ValueError("an interval needs at least one score, got none: run at least one episode")
    return array
