"""Tuned layers: the upper transformer blocks of an encoder, or all of them, as a function of their weights.

Tuning changes these blocks alone. The states below them are computed once for each text, and are the same
for every task. The weights are an argument and not variables: nothing here can change the encoder.

    layers = TunedLayers(backbone, num_layers=6)
    below = layers.states_below(token_ids, padding_mask, segment_ids)
    features = layers.views(weights, below, padding_mask, pool)        # as Encoder.texts for other weights
    features = layers.words(weights, below, padding_mask, word_of, piece_counts)           # as Encoder.words

Weights have the names and the layout of ``model.safetensors`` outside, and those of Keras inside.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

import keras
import numpy as np
import tensorflow as tf

from metamapping.interop.families import FAMILIES, family_of
from metamapping.interop.weights import Weight
from metamapping.models.packed_states import can_pack, moved, states_of_rows
from metamapping.models.text_views import text_views
from metamapping.models.transformer_blocks import block_calls, block_inputs, block_outputs, token_states
from metamapping.models.view_layout import lower_layer
from metamapping.models.weight_delta import WeightDelta
from metamapping.models.word_views import piece_sums, word_views

# The weights of the tasks that were used last are kept, 42 MB each for all layers of a MiniLM.
_KEPT_TASKS = 4


def tunable_depths(backbone: keras.Model) -> tuple[int, int]:
    """The smallest and the largest number of layers that can be tuned: those above the lower view, and all.

    Args:
        backbone: Any backbone.

    Raises:
        ValueError: It is of a family that cannot be tuned.
    """
    if family_of(backbone) is None:
        raise ValueError(
            f"an encoder of the class {type(backbone).__name__} cannot be tuned to a task: expected one "
            f"of {', '.join(FAMILIES)}; leave tune out to adapt in closed form"
        )
    num_layers = len(block_outputs(backbone))
    return max(1, _num_above_lower_view(num_layers)), num_layers


def layer_names(backbone: keras.Model, num_layers: int) -> frozenset[str]:
    """The names of the weights of the last layers, as ``TunedLayers.base`` has them.

    Args:
        backbone: One that can be tuned.
        num_layers: How many layers, from the smallest to the largest number that can be tuned.
    """
    _, layers = _split(backbone, num_layers)
    return frozenset(_stored_weights(backbone, layers))


def _split(backbone: keras.Model, num_layers: int) -> tuple[keras.Model, keras.Model]:
    """What lies below the last layers, and these, with the lower view as a second result if they have it.

    Of a single layer both views may be of the same states, and Keras knows no model with one result twice.
    """
    most = len(block_outputs(backbone))
    below, last = block_inputs(backbone)[most - num_layers], token_states(backbone)
    lower = block_outputs(backbone)[lower_layer(most)]
    has_two = num_layers > _num_above_lower_view(most) and lower is not last
    results = [last, lower] if has_two else last
    return (
        keras.Model(backbone.input, below),
        keras.Model([below, backbone.input["padding_mask"]], results),
    )


def _stored_weights(backbone: keras.Model, layers: keras.Model) -> dict[str, Weight]:
    """The weights of some layers by their names in the file."""
    family = family_of(backbone)
    assert family is not None
    mine = {id(variable) for variable in layers.weights}
    return {
        f"{family.prefix}{weight.name}": weight
        for weight in family.weights(backbone)
        if mine >= {id(variable) for variable in weight.variables}
    }


def _num_above_lower_view(num_layers: int) -> int:
    return num_layers - 1 - lower_layer(num_layers)


class TunedLayers:
    """The last layers of a backbone.

    Args:
        backbone: A BERT, RoBERTa, DistilBERT or GPT-2; its weights are read, never set.
        num_layers: How many layers; embeddings are never among them.

    Attributes:
        base: The weights of these layers, by name, in the layout of the file.
        dim: Width of the states.
        num_layers: How many layers they are.
        can_pack: Whether texts can share rows, so that ``compiled_packed_views`` can be called.

    Raises:
        ValueError: The backbone cannot be tuned, or not in this number of layers.
    """

    def __init__(self, backbone: keras.Model, num_layers: int) -> None:
        fewest, most = tunable_depths(backbone)
        if not fewest <= num_layers <= most:
            raise ValueError(f"{num_layers} layers cannot be tuned: expected {fewest} to {most}")
        self.num_layers = num_layers
        self._below, self._layers = _split(backbone, num_layers)
        self._has_lower, self._is_single = isinstance(self._layers.output, list), most == 1
        self.dim, self._names = int(self._below.output.shape[-1]), list(backbone.input)
        self._variables = list(self._layers.weights)
        self._stored = _stored_weights(backbone, self._layers)
        self.base = {name: weight.to_array() for name, weight in self._stored.items()}
        self.can_pack, self._blocks = can_pack(backbone), block_calls(backbone)[-num_layers:]
        self._lower = lower_layer(most) - (most - num_layers)
        shape = (None, None)
        tokens = tf.TensorSpec(shape, tf.int32)
        self.states_below = tf.function(self._states_below, input_signature=[tokens] * 3, autograph=False)
        weights = [tf.TensorSpec(variable.shape, tf.float32) for variable in self._variables]
        states = tf.TensorSpec((*shape, self.dim), tf.float32)
        self.compiled_views = tf.function(
            self.views,
            input_signature=[weights, states, tokens, tf.TensorSpec(shape, tf.float32)],
            autograph=False,
        )
        self.compiled_packed_views = tf.function(
            self.packed_views,
            input_signature=[weights, states, tokens, tokens, tf.TensorSpec(shape, tf.float32)],
            autograph=False,
        )
        self.compiled_words = tf.function(
            self.words,
            input_signature=[weights, states, tokens, tokens, tf.TensorSpec((None,), tf.float32)],
            autograph=False,
        )
        self.tensors_of = lru_cache(maxsize=_KEPT_TASKS)(self._tensors_of)

    def views(
        self, weights: Sequence[tf.Tensor], below: tf.Tensor, padding_mask: tf.Tensor, pool: tf.Tensor
    ) -> tf.Tensor:
        """The views of texts under other weights of these layers.

        Args:
            weights: As ``to_tensors`` returns them.
            below: States below these layers, float32 ``(B, L, dim)``.
            padding_mask: Int ``(B, L)``.
            pool: Float32 ``(B, L)``.

        Returns:
            Float32 ``(B, NUM_VIEWS * dim)``.
        """
        return text_views(*self._states(weights, below, padding_mask), pool)

    def packed_views(
        self,
        weights: Sequence[tf.Tensor],
        below: tf.Tensor,
        text_of: tf.Tensor,
        places: tf.Tensor,
        pool: tf.Tensor,
    ) -> tf.Tensor:
        """The views of texts that share rows, which saves the padding between them.

        Args:
            weights: As for ``views``.
            below: States below these layers, float32 ``(num_rows, row_length, dim)``.
            text_of: Int32 ``(num_rows, row_length)``, a number for each text, and one for what is left over.
            places: Int32 ``(B, L)``, where the tokens of each text are, counted through all rows.
            pool: Float32 ``(B, L)``, 0 also where a text has no token.

        Returns:
            Float32 ``(B, NUM_VIEWS * dim)``.
        """
        with keras.StatelessScope(state_mapping=list(zip(self._variables, weights, strict=True))):
            last, lower = states_of_rows(self._blocks, below, text_of, lower=self._lower)
        return text_views(moved(last, places), moved(lower, places), pool)

    def words(
        self,
        weights: Sequence[tf.Tensor],
        below: tf.Tensor,
        padding_mask: tf.Tensor,
        word_of: tf.Tensor,
        piece_counts: tf.Tensor,
    ) -> tf.Tensor:
        """The views of words under other weights of these layers.

        Args:
            weights: As for ``views``.
            below: As for ``views``.
            padding_mask: As for ``views``.
            word_of: Int ``(B, L)``, the word that a token is a piece of, -1 for none.
            piece_counts: Float32 ``(N,)``.

        Returns:
            Float32 ``(N, NUM_WORD_VIEWS * dim)``.
        """
        last, lower = self._states(weights, below, padding_mask)
        return word_views(piece_sums(last, lower, word_of, num_words=tf.shape(piece_counts)[0]), piece_counts)

    def _states(
        self, weights: Sequence[tf.Tensor], below: tf.Tensor, padding_mask: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """The states of the last and of the lower layer, float32 ``(B, L, dim)``."""
        with keras.StatelessScope(state_mapping=list(zip(self._variables, weights, strict=True))):
            results = self._layers([below, padding_mask], training=False)
        if self._has_lower:
            last, lower = results
        else:
            last, lower = results, results if self._is_single else below
        return tf.cast(last, tf.float32), tf.cast(lower, tf.float32)

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

    def _states_below(
        self, token_ids: tf.Tensor, padding_mask: tf.Tensor, segment_ids: tf.Tensor
    ) -> tf.Tensor:
        given = {"token_ids": token_ids, "padding_mask": padding_mask, "segment_ids": segment_ids}
        states = self._below({name: given[name] for name in self._names}, training=False)
        return tf.cast(states, tf.float32)
