"""Upper layers: the transformer blocks above the lower view, as a function of their weights.

Tuning changes these blocks alone. The states below them are computed once for each text, and are the same
for every task. The weights are an argument and not variables: nothing here can change the encoder.

    upper = UpperLayers(backbone)
    lower = upper.lower_states(token_ids, padding_mask, segment_ids)
    features = upper.views(weights, lower, padding_mask, pool)        # as Encoder.texts for other weights

Weights have the names and the layout of ``model.safetensors`` outside, and those of Keras inside.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

import keras
import numpy as np
import tensorflow as tf

from metamapping.interop.families import FAMILIES, family_of
from metamapping.models.text_views import text_views
from metamapping.models.transformer_blocks import block_outputs, token_states
from metamapping.models.view_layout import lower_layer
from metamapping.models.weight_delta import WeightDelta


class UpperLayers:
    """The upper layers of a backbone.

    Args:
        backbone: A BERT, RoBERTa, DistilBERT or GPT-2; its weights are read, never set.

    Attributes:
        base: The weights of the encoder, by name, in the layout of the file.
        dim: Width of the states.

    Raises:
        ValueError: The backbone is of another family, or has too few layers.
    """

    def __init__(self, backbone: keras.Model) -> None:
        family, outputs = family_of(backbone), block_outputs(backbone)
        if family is None:
            raise ValueError(
                f"an encoder of the class {type(backbone).__name__} cannot be tuned to a task: expected one "
                f"of {', '.join(FAMILIES)}; leave tune out to adapt in closed form"
            )
        lower = lower_layer(len(outputs))
        if lower + 1 >= len(outputs):
            raise ValueError(
                f"an encoder of {len(outputs)} transformer layers cannot be tuned to a task, since none is "
                "above its lower view: leave tune out to adapt in closed form"
            )
        self.dim = int(outputs[lower].shape[-1])
        self._names = list(backbone.input)
        self._lower = keras.Model(backbone.input, outputs[lower])
        mask = backbone.input["padding_mask"]
        self._upper = keras.Model([outputs[lower], mask], token_states(backbone))
        self._variables = list(self._upper.weights)
        mine = {id(variable) for variable in self._variables}
        self._stored = {
            f"{family.prefix}{weight.name}": weight
            for weight in family.weights(backbone)
            if mine >= {id(variable) for variable in weight.variables}
        }
        self.base = {name: weight.to_array() for name, weight in self._stored.items()}
        shape = (None, None)
        tokens = tf.TensorSpec(shape, tf.int32)
        self.lower_states = tf.function(self._lower_states, input_signature=[tokens] * 3, autograph=False)
        weights = [tf.TensorSpec(variable.shape, tf.float32) for variable in self._variables]
        states = tf.TensorSpec((*shape, self.dim), tf.float32)
        self.compiled_views = tf.function(
            self.views,
            input_signature=[weights, states, tokens, tf.TensorSpec(shape, tf.float32)],
            autograph=False,
        )
        # The weights of the tasks that were used last, 14 MB each for a MiniLM.
        self.tensors_of = lru_cache(maxsize=4)(self._tensors_of)

    def views(
        self, weights: Sequence[tf.Tensor], lower: tf.Tensor, padding_mask: tf.Tensor, pool: tf.Tensor
    ) -> tf.Tensor:
        """The views of texts under other weights of the upper layers.

        Args:
            weights: As ``to_tensors`` returns them.
            lower: States below the upper layers, float32 ``(B, L, dim)``.
            padding_mask: Int ``(B, L)``.
            pool: Float32 ``(B, L)``.

        Returns:
            Float32 ``(B, NUM_VIEWS * dim)``.
        """
        with keras.StatelessScope(state_mapping=list(zip(self._variables, weights, strict=True))):
            last = self._upper([lower, padding_mask], training=False)
        return text_views(tf.cast(last, tf.float32), lower, pool)

    def to_tensors(self, arrays: Mapping[str, np.ndarray]) -> list[tf.Tensor]:
        """Weights in the layout of Keras.

        Args:
            arrays: Weights in the layout of the file, by name, as ``base``.
        """
        values: dict[int, np.ndarray] = {}
        for name, weight in self._stored.items():
            parts = weight.to_values(arrays[name])
            values |= {id(v): part for v, part in zip(weight.variables, parts, strict=True)}
        return [tf.constant(values[id(variable)], tf.float32) for variable in self._variables]

    def to_arrays(self, weights: Sequence[tf.Tensor]) -> dict[str, np.ndarray]:
        """Weights in the layout of the file; the inverse of ``to_tensors``.

        Args:
            weights: Weights in the layout of Keras.
        """
        values = {id(v): value.numpy() for v, value in zip(self._variables, weights, strict=True)}
        return {
            name: weight.to_stored([values[id(v)] for v in weight.variables])
            for name, weight in self._stored.items()
        }

    def _tensors_of(self, delta: WeightDelta) -> list[tf.Tensor]:
        return self.to_tensors(delta.added_to(self.base))

    def _lower_states(
        self, token_ids: tf.Tensor, padding_mask: tf.Tensor, segment_ids: tf.Tensor
    ) -> tf.Tensor:
        given = {"token_ids": token_ids, "padding_mask": padding_mask, "segment_ids": segment_ids}
        states = self._lower({name: given[name] for name in self._names}, training=False)
        return tf.cast(states, tf.float32)
