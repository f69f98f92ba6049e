"""Learned mapping: what was meta-learned besides the encoder, as plain arrays.

It computes what ``models.mapping.MetaMapping`` computes for one task, in NumPy.

    mapping = LearnedMapping.read(folder / "mapping.safetensors", feature_dim=384, solver="ridge")
    prior = mapping.prior(mapping.label_vectors(name_features, is_outside))
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from metamapping.config.training import SolverName
from metamapping.corpus.word_shapes import EDGE, WINDOW
from metamapping.errors import StoreError
from metamapping.models.probabilities import expit
from metamapping.models.solvers.vector_layout import SPEEDUP, VectorIndex, initial_values, vector_length
from metamapping.models.view_layout import NUM_VIEWS
from metamapping.runtime.views import unit_length
from metamapping.storage.tensors import read_safetensors

# As in ``models.mapping``: equal names differ from their mean by rounding only.
_NAME_EPSILON = 1e-8


@dataclass(frozen=True)
class LearnedHyperparameters:
    """The learned adaptation hyperparameters, see ``models.solvers.hyperparameters``.

    Attributes:
        alpha: α, the weight of the prior.
        ridge: λ of a ridge regression over texts.
        inverse_temperature: τ.
        alpha_spread: Standard deviation of tasks' own α.
        ridge_spread: Standard deviation of tasks' own ln λ.
        word_ridge: λ where the items are words.
        views: Weight in the kernel of each view after the first, float32 ``(V - 1,)``.
    """

    alpha: float
    ridge: float
    inverse_temperature: float
    alpha_spread: float
    ridge_spread: float
    word_ridge: float
    views: np.ndarray

    @classmethod
    def from_vector(cls, vector: np.ndarray) -> LearnedHyperparameters:
        """Decode a trained vector.

        Args:
            vector: Float32 ``(V + 5,)`` for V views of a text, in the layout of ``VectorIndex``.
        """
        vector = np.float32(SPEEDUP) * vector
        positive = np.exp(vector[VectorIndex.LOG_RIDGE : VectorIndex.VIEWS]).tolist()
        ridge, inverse_temperature, alpha_spread, ridge_spread, word_ridge = positive
        return cls(
            alpha=float(vector[VectorIndex.ALPHA]),
            ridge=ridge,
            inverse_temperature=inverse_temperature,
            alpha_spread=alpha_spread,
            ridge_spread=ridge_spread,
            word_ridge=word_ridge,
            views=expit(vector[VectorIndex.VIEWS :]),
        )


@dataclass(frozen=True)
class LearnedMapping:
    """The meta-learned weights on top of an encoder, float32.

    Attributes:
        solver: How a task's mapping is computed from its examples.
        prior_kernel: W₀, ``(d, d)``.
        prior_bias: b₀, ``(d,)``.
        label_map: ``(d, d)``.
        outside: The vector of the label "outside", ``(d,)``.
        word_shapes: ``(WINDOW, EDGE + 1, d)``.
        hyperparameters: The adaptation hyperparameters.
    """

    solver: SolverName
    prior_kernel: np.ndarray
    prior_bias: np.ndarray
    label_map: np.ndarray
    outside: np.ndarray
    word_shapes: np.ndarray
    hyperparameters: LearnedHyperparameters

    @classmethod
    def read(cls, path: Path, *, feature_dim: int, solver: SolverName) -> LearnedMapping:
        """Read the weights of a published folder.

        Args:
            path: The file ``mapping.safetensors``.
            feature_dim: d, the width of one view of the encoder.
            solver: How a task's mapping is computed.

        Raises:
            StoreError: The file is damaged, or does not fit the encoder.
        """
        arrays, shapes = read_safetensors(path), _shapes(feature_dim)
        # Keras names each weight by its layer as well, as in `mapping/mapping/outside`.
        named = {name.rsplit("/", 1)[-1]: array for name, array in arrays.items()}
        if set(named) != set(shapes) or len(named) != len(arrays):
            raise StoreError(f"{path} holds other weights than a mapping has: publish again")
        for name, shape in shapes.items():
            array = named[name]
            if array.shape != shape or array.dtype != np.float32 or not np.isfinite(array).all():
                raise StoreError(
                    f"{path}: {name} is {array.dtype} {array.shape}, expected finite float32 {shape}"
                )
        return cls.from_arrays(named, solver=solver)

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray], *, solver: SolverName) -> LearnedMapping:
        """The mapping with these weights.

        Args:
            arrays: Float32 arrays by the last part of their names.
            solver: How a task's mapping is computed.
        """
        named = dict(arrays)
        strength = LearnedHyperparameters.from_vector(named.pop("strength"))
        return cls(solver=solver, hyperparameters=strength, **named)

    @property
    def inverse_temperature(self) -> float:
        """The learned inverse temperature τ."""
        return self.hyperparameters.inverse_temperature

    def add_word_shapes(self, words: np.ndarray, shapes: np.ndarray) -> np.ndarray:
        """Features of words with the learned vectors of their shapes added to the first view.

        Args:
            words: Float32 ``(N, width)``, several views side by side.
            shapes: Int ``(N, 3)``, as ``corpus.word_shapes.windows_of`` returns them.

        Returns:
            As ``words``; the first view has unit length, the others are unchanged.
        """
        added = sum(self.word_shapes[i][shapes[:, i]] for i in range(WINDOW))
        d = self.word_shapes.shape[-1]
        return np.concatenate([unit_length(words[:, :d] + added), words[:, d:]], axis=-1)

    def label_vectors(self, names: np.ndarray, is_outside: np.ndarray) -> np.ndarray:
        """The mapped features of the labels' names, centred, at unit length.

        Args:
            names: Features of the names, float32 ``(C, d)``.
            is_outside: Bool ``(C,)``, true for the label "outside".

        Returns:
            Float32 ``(C, d)``.
        """
        mapped = np.where(is_outside[:, None], self.outside, names @ self.label_map)
        return unit_length(mapped - mapped.mean(axis=0), _NAME_EPSILON)

    def prior(self, label_vectors: np.ndarray) -> np.ndarray:
        """The prior P as weights of scores, ``[W₀; b₀] Gᵀ``.

        Args:
            label_vectors: G, float32 ``(C, d)``.

        Returns:
            Float32 ``(d + 1, C)``.
        """
        stacked = np.concatenate([self.prior_kernel, self.prior_bias[None]])
        prior: np.ndarray = stacked @ label_vectors.T
        return prior


def untrained_arrays(feature_dim: int) -> dict[str, np.ndarray]:
    """The weights of a mapping before any training, as ``models.mapping`` initializes them.

    A text's vector is its feature, and a label's the feature of its name.

    Args:
        feature_dim: d, the width of one view of the encoder.
    """
    arrays = {name: np.zeros(shape, np.float32) for name, shape in _shapes(feature_dim).items()}
    identity = np.eye(feature_dim, dtype=np.float32)
    strength = np.asarray(initial_values(NUM_VIEWS), np.float32) / np.float32(SPEEDUP)
    return arrays | {"prior_kernel": identity, "label_map": identity, "strength": strength}


def _shapes(d: int) -> dict[str, tuple[int, ...]]:
    return {
        "prior_kernel": (d, d),
        "prior_bias": (d,),
        "label_map": (d, d),
        "outside": (d,),
        "word_shapes": (WINDOW, EDGE + 1, d),
        "strength": (vector_length(NUM_VIEWS),),
    }
