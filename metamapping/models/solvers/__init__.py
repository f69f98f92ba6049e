"""Solvers: ways to compute a task's mapping from its support set, one file each.

All take the same tensors and return the same kind: weights V, so that an item with features ``x`` has the
scores ``[x, 1] V``. With an empty support set V is the prior alone, which is zero-shot prediction.

    weights = SOLVERS["ridge"](support_set, prior, hyperparameters)

The names are imported lazily, because some modules of this package need no TensorFlow.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # at run time ``__getattr__`` imports the same names; they need TensorFlow
    from metamapping.models.solvers.hyperparameters import Hyperparameters
    from metamapping.models.solvers.support_set import SupportSet
    from metamapping.models.solvers.table import SOLVERS

__all__ = ["SOLVERS", "Hyperparameters", "SupportSet"]

_MODULES = {"SOLVERS": "table", "Hyperparameters": "hyperparameters", "SupportSet": "support_set"}


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
