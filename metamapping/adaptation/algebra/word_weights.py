"""Word weights: how much each word of a `ner` task counts in its ridge regression.

roots = word_roots(support.targets)              # square roots of the weights, (num_words,)
"""

from __future__ import annotations

import numpy as np

from metamapping.models.solvers.solver_constants import WORD_BALANCE


def word_roots(targets: np.ndarray) -> np.ndarray:
    """The square roots of words' weights, as ``support_set.balance_words`` computes them.

    Args:
        targets: Label slots, int ``(num_words,)``.

    Returns:
        Float32 ``(num_words,)``; the mean weight is 1.
    """
    weights = np.bincount(targets)[targets].astype(np.float64) ** -WORD_BALANCE
    roots: np.ndarray = np.sqrt(weights * len(targets) / weights.sum()).astype(np.float32)
    return roots
