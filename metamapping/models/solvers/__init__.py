"""Solvers: ways to compute a task's mapping from its support set, one file each.

All take the same tensors and give the same: weights of scores V, so that a new item with features
``x`` has the scores ``[x, 1] V``. Without any support it is the prior, zero-shot.

    weights = SOLVERS["ridge"](support_set, prior, strengths)
"""

from metamapping.models.solvers.fitted_ridge import ridge
from metamapping.models.solvers.gradient import gradient
from metamapping.models.solvers.plain_ridge import plain_ridge
from metamapping.models.solvers.prototypes import prototypes
from metamapping.models.solvers.support_set import Strengths, SupportSet

SOLVERS = {
    "ridge": ridge,
    "plain-ridge": plain_ridge,
    "prototypes": prototypes,
    "gradient": gradient,
}

__all__ = ["SOLVERS", "Strengths", "SupportSet"]
