"""Variables: every weight of an encoder and a mapping under a unique name.

The names appear in checkpoints and published folders. This module does not import TensorFlow, so that code
that only reads the state of checkpoints does not either.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from metamapping.errors import StoreError

if TYPE_CHECKING:  # these import TensorFlow, which takes seconds
    import keras

    from metamapping.models.encoder import Encoder
    from metamapping.models.mapping import MetaMapping


def model_variables(encoder: Encoder, mapping: MetaMapping) -> dict[str, keras.Variable]:
    """All weights of an encoder and a mapping, trained or frozen, by name.

    Args:
        encoder: The encoder.
        mapping: The meta-learned mapping.

    Raises:
        StoreError: Two weights have the same name.
    """
    return named_variables("encoder", encoder.backbone.weights) | named_variables("mapping", mapping.weights)


def named_variables(prefix: str, variables: Iterable[keras.Variable]) -> dict[str, keras.Variable]:
    """Variables by ``prefix/path``.

    Args:
        prefix: ``encoder`` or ``mapping``.
        variables: The variables of that part of the model.

    Raises:
        StoreError: Two variables have the same path.
    """
    variables = list(variables)
    named = {f"{prefix}/{v.path}": v for v in variables}
    if len(named) != len(variables):
        raise StoreError(f"two weights of the {prefix} have the same name: this encoder cannot be saved")
    return named
