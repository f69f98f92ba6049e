"""Fitting: a backbone built only where a file of weights can fill it.

Sizes stand in a configuration of a few bytes, and may ask for terabytes or for a million layers. So the
layers are made without their values first, counted, and get values only if the file has as many.

    backbone = build_fitting(lambda: BertBackbone(**sizes), sizes, arrays)
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np

# Weights that a file may lack: BERT's pooler. Layers that share their weights: ALBERT's.
_MOST_LACKING, _MOST_SHARING = 2, 8


def build_fitting(
    build: Callable[[], keras.Model], sizes: Mapping[str, Any], arrays: Mapping[str, np.ndarray]
) -> keras.Model:
    """What ``build`` makes, its values not yet those of ``arrays``.

    Raises ``ValueError`` where it is larger than the arrays, and what ``build`` raises.
    """
    num_layers = sizes.get("num_layers", 0)
    if isinstance(num_layers, int | float) and num_layers > _MOST_SHARING * len(arrays):
        raise ValueError(f"it has {num_layers} layers, but its weights are {len(arrays)} arrays")
    num_values = sum(array.size for array in arrays.values())
    with keras.StatelessScope(initialize_variables=False):
        backbone = build()
        num_weights = sum(math.prod(variable.shape) for variable in backbone.weights)
    if num_weights > _MOST_LACKING * num_values:
        keras.utils.clear_session(free_memory=False)  # forgets the values that wait to be made
        raise ValueError(f"it has {num_weights} weights, but its file holds {num_values}")
    with keras.StatelessScope():
        pass  # what waits gets its values at the end of a scope
    return backbone
