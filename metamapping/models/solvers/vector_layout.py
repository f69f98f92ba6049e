"""Vector layout: where the trained vector holds each adaptation hyperparameter, without TensorFlow.

``hyperparameters`` decodes the vector in TensorFlow, for training, and ``runtime.mapping`` in NumPy.

    ridge = exp(SPEEDUP * vector[VectorIndex.LOG_RIDGE])
"""

from __future__ import annotations

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
