"""Plain mapping: the meta-learned mapping as NumPy arrays, whichever way the encoder was loaded.

learned = plain_mapping(featurizer.model.mapping)
"""

from __future__ import annotations

from typing import Any, cast

import numpy as np

from metamapping.publishing.loaded_model import TaskMapping
from metamapping.runtime.mapping import LearnedHyperparameters, LearnedMapping

_WEIGHTS = ("prior_kernel", "prior_bias", "label_map", "outside", "word_shapes")


def plain_mapping(mapping: TaskMapping) -> LearnedMapping:
    """The meta-learned mapping as plain arrays, whichever way the encoder was loaded.

    Args:
        mapping: The mapping of a loaded model, with or without TensorFlow.
    """
    if isinstance(mapping, LearnedMapping):
        return mapping
    weights: Any = {name: np.asarray(getattr(mapping, name)) for name in _WEIGHTS}
    vector = np.asarray(cast(Any, mapping).hyperparameter_vector)
    return LearnedMapping(
        solver=mapping.solver, hyperparameters=LearnedHyperparameters.from_vector(vector), **weights
    )
