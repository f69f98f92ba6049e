"""Solvers: ways to compute a task's mapping from its support set, one file each.

All take the same tensors and return the same kind: weights V, so that an item with features ``x`` has the
scores ``[x, 1] V``. With an empty support set V is the prior alone, which is zero-shot prediction.

    weights = SOLVERS["ridge"](support_set, prior, hyperparameters)
"""

from metamapping.models.solvers.fitted_ridge import ridge
from metamapping.models.solvers.gradient import gradient
from metamapping.models.solvers.hyperparameters import Hyperparameters
from metamapping.models.solvers.plain_ridge import plain_ridge
from metamapping.models.solvers.prototypes import prototypes
from metamapping.models.solvers.support_set import SupportSet

SOLVERS = {
    "ridge": ridge,
    "plain-ridge": plain_ridge,
    "prototypes": prototypes,
    "gradient": gradient,
}

__all__ = ["SOLVERS", "Hyperparameters", "SupportSet"]
