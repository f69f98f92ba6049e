"""Bounded building: a backbone is built only if the weights of its file could fill it.

A configuration of a few bytes may ask for terabytes of weights or for a million layers. So the layers are
first built without values and counted; they get values only if the file has about as many.

    backbone = build_bounded(lambda: BertBackbone(**sizes), sizes, arrays)
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np

# A file may lack some weights of its backbone (BERT's pooler): up to half of the values.
_MAX_VALUES_RATIO = 2
# Layers may share weights (ALBERT), so that there are more layers than arrays.
_MAX_LAYERS_PER_ARRAY = 8


def build_bounded(
    build: Callable[[], keras.Model], sizes: Mapping[str, Any], arrays: Mapping[str, np.ndarray]
) -> keras.Model:
    """A backbone with random weights, if it is not larger than a file's weights.

    Args:
        build: Builds the backbone.
        sizes: Its arguments, of which ``num_layers`` is checked before it is built.
        arrays: The file's weights. They are only counted, not assigned.

    Raises:
        ValueError: The backbone is larger than the arrays.
        Exception: Whatever ``build`` raises.
    """
    num_layers = sizes.get("num_layers", 0)
    if isinstance(num_layers, int | float) and num_layers > _MAX_LAYERS_PER_ARRAY * len(arrays):
        raise ValueError(f"it has {num_layers} layers, but its weights are {len(arrays)} arrays")
    num_values = sum(array.size for array in arrays.values())
    # Within this scope variables have shapes only; their values are pending.
    with keras.StatelessScope(initialize_variables=False):
        backbone = build()
        num_weights = sum(math.prod(variable.shape) for variable in backbone.weights)
    if num_weights > _MAX_VALUES_RATIO * num_values:
        keras.utils.clear_session(free_memory=False)  # drops the pending values, which would be too many
        raise ValueError(f"it has {num_weights} weights, but its file holds {num_values}")
    # Keras initializes pending values when a scope that allows it ends.
    with keras.StatelessScope():
        pass
    return backbone
