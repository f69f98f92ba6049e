"""Variables: every weight of an encoder and a mapping under a unique name."""

from __future__ import annotations

from collections.abc import Iterable

import keras

from metamapping.errors import StoreError
from metamapping.models.encoder import Encoder
from metamapping.models.mapping import MetaMapping


def model_variables(encoder: Encoder, mapping: MetaMapping) -> dict[str, keras.Variable]:
    """Every weight of encoder and mapping, under a unique name."""
    return named_variables("encoder", encoder.backbone.weights) | named_variables("mapping", mapping.weights)


def named_variables(prefix: str, variables: Iterable[keras.Variable]) -> dict[str, keras.Variable]:
    """Variables by ``prefix/path``. Raises ``StoreError`` where two have one name."""
    variables = list(variables)
    named = {f"{prefix}/{v.path}": v for v in variables}
    if len(named) != len(variables):
        raise StoreError(f"two weights of the {prefix} have one name; this encoder cannot be saved")
    return named
