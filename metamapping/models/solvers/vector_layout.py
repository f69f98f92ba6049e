"""Vector layout: where the trained vector holds each adaptation hyperparameter, without TensorFlow.

``hyperparameters`` decodes the vector in TensorFlow, for training, and ``runtime.mapping`` in NumPy.

    ridge = exp(SPEEDUP * vector[VectorIndex.LOG_RIDGE])
"""

from __future__ import annotations

import math
from enum import IntEnum


class VectorIndex(IntEnum):
    """Where each hyperparameter is stored in the trained vector.

    Positive ones are stored as logarithms. The log-odds of the views after the first begin at ``VIEWS``.
    """

    ALPHA = 0
    LOG_RIDGE = 1
    LOG_INVERSE_TEMPERATURE = 2
    LOG_ALPHA_SPREAD = 3
    LOG_RIDGE_SPREAD = 4
    LOG_WORD_RIDGE = 5
    VIEWS = 6


# The values before any training. The figures: docs/experiments/strengths.md and docs/experiments/views.md.
INITIAL_ALPHA = 0.5
INITIAL_RIDGE = 1.0
INITIAL_INVERSE_TEMPERATURE = 10.0
INITIAL_ALPHA_SPREAD = 0.5
INITIAL_RIDGE_SPREAD = 1.1
INITIAL_WORD_RIDGE = 3.0
INITIAL_VIEW_PROBABILITY = 0.2

# Adam moves every weight by about the same step, which is slow for a scalar. The vector is stored divided
# by this factor, so that the hyperparameters move that many times faster.
SPEEDUP = 20.0

# The values of α that a fit to a task considers: from no prior at all to twice the prior.
ALPHA_GRID = (0.0, 0.25, 0.5, 1.0, 1.5, 2.0)


def vector_length(num_views: int) -> int:
    """The number of values in the trained vector of an encoder.

    Args:
        num_views: Number of views of a text.
    """
    return VectorIndex.VIEWS + num_views - 1


def initial_values(num_views: int) -> list[float]:
    """The values of the vector before any training, not yet divided by ``SPEEDUP``.

    Args:
        num_views: Number of views of a text.
    """
    scalars = {
        VectorIndex.ALPHA: INITIAL_ALPHA,
        VectorIndex.LOG_RIDGE: math.log(INITIAL_RIDGE),
        VectorIndex.LOG_INVERSE_TEMPERATURE: math.log(INITIAL_INVERSE_TEMPERATURE),
        VectorIndex.LOG_ALPHA_SPREAD: math.log(INITIAL_ALPHA_SPREAD),
        VectorIndex.LOG_RIDGE_SPREAD: math.log(INITIAL_RIDGE_SPREAD),
        VectorIndex.LOG_WORD_RIDGE: math.log(INITIAL_WORD_RIDGE),
    }
    log_odds = math.log(INITIAL_VIEW_PROBABILITY / (1 - INITIAL_VIEW_PROBABILITY))
    return [scalars[index] for index in sorted(scalars)] + [log_odds] * (num_views - 1)
