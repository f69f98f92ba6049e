"""Table: the solvers by name."""

from __future__ import annotations

from metamapping.models.solvers.fitted_ridge import ridge
from metamapping.models.solvers.gradient import gradient
from metamapping.models.solvers.plain_ridge import plain_ridge
from metamapping.models.solvers.prototypes import prototypes

SOLVERS = {
    "ridge": ridge,
    "plain-ridge": plain_ridge,
    "prototypes": prototypes,
    "gradient": gradient,
}
