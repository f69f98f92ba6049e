"""The encoder: a KerasHub backbone, and how its token states become features of texts, words and names.

encoder = Encoder(build_backbone(spec, vocabulary_size=30522, seed=0))
x = encoder.texts(batch)                     # in a compiled step: float32 (B, text_dim)
x = encoder.encode(token_ids, segment_ids)   # outside of one, any number of texts: NumPy

A text has ``NUM_VIEWS`` feature vectors, its *views*, concatenated: each is ``dim`` wide and has unit length.
They are the mean of the last layer's states, that of a lower layer's, and the mean of the lower layer's first
two states, which show what kind of question or command a text is. How much the second and third count is
fitted to each task (``solvers.fitted_ridge``); the figures: docs/experiments/views.md. A word has
``NUM_WORD_VIEWS``: the means of its pieces' states in the last layer and in the lower one
(docs/experiments/words.md). A label name has the last layer's view only.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from metamapping.corpus.ragged import Ragged
from metamapping.episodes.length_groups import by_length
from metamapping.episodes.padding import pad_tokens, word_arrays
from metamapping.models.packed_states import PackedStates, can_pack
from metamapping.models.text_views import text_views
from metamapping.models.transformer_blocks import block_outputs, token_states
from metamapping.models.tuned_encoder import TunedEncoder
from metamapping.models.tuned_layers import TunedLayers, layer_names, tunable_depths
from metamapping.models.view_layout import (
    NUM_VIEWS,
    NUM_WORD_VIEWS,
    PADDING_WORTH_A_PASS,
    lower_layer,
)
from metamapping.models.weight_delta import WeightDelta
from metamapping.models.word_views import piece_sums, word_views

_log = logging.getLogger(__name__)

# A batch as tensors, under the keys of ``episodes.batches``.
Tensors = dict[str, tf.Tensor]


class Encoder:
    """A backbone with its features, for BERT-like (bidirectional) and GPT-like (causal) backbones alike.

    Args:
        backbone: A functional KerasHub backbone of text. A warning is logged where it has no transformer
            blocks, since the lower views then repeat the last layer.

    Attributes:
        dim: Width of one view.
        text_dim: Width of a text's features, ``NUM_VIEWS * dim``.
        word_dim: Width of a word's features, ``NUM_WORD_VIEWS * dim``.
    """

    def __init__(self, backbone: keras.Model) -> None:
        self.backbone = backbone
        states = token_states(backbone)
        self.dim = int(states.shape[-1])
        self.text_dim, self.word_dim = NUM_VIEWS * self.dim, NUM_WORD_VIEWS * self.dim
        self._layers = keras.Model(backbone.input, [states, _lower_states(backbone)])
        spec = tf.TensorSpec((None, None), tf.int32)
        tokens = {"token_ids": spec, "segment_ids": spec, "padding_mask": spec}
        pool = {"pool": tf.TensorSpec((None, None), tf.float32)}
        pieces = {"word_of": spec, "piece_counts": tf.TensorSpec((None,), tf.float32)}
        # One trace for every shape: the number of texts and their length are left open.
        self._texts = tf.function(self.texts, input_signature=[tokens | pool])
        self._words = tf.function(self.words, input_signature=[tokens | pieces])
        # A compiled meta-step calls it once for each group of texts, so that the backbone and its gradient
        # are traced once, however many groups there are.
        self._group = tf.function(
            self._last_and_lower,
            input_signature=[dict.fromkeys(backbone.input, spec)],
            autograph=False,
        )
        self._packed = None
        if can_pack(backbone):
            place, rows = tf.TensorSpec((None,), tf.int32), tf.TensorSpec((2,), tf.int32)
            self._packed = tf.function(
                PackedStates(backbone),
                input_signature=[dict.fromkeys(backbone.input, spec), place, rows],
                autograph=False,
            )
        self._tuned_layers: dict[int, TunedLayers] = {}

    def texts(self, batch: Tensors) -> tf.Tensor:
        """The views of texts, pooled over the tokens where ``pool`` is 1.

        Args:
            batch: ``token_ids``, ``segment_ids``, ``padding_mask`` and ``pool``, each ``(B, L)``;
                optionally ``group_ends`` and the arrays of ``episodes.packing``.

        Returns:
            Float32 ``(B, text_dim)``.
        """
        pools, features = batch["pool"], []
        for rows, last, lower in self._states(batch):
            features.append(text_views(last, lower, pools[rows, : tf.shape(last)[1]]))
        return tf.ensure_shape(tf.concat(features, axis=0), (pools.shape[0], self.text_dim))

    def words(self, batch: Tensors) -> tf.Tensor:
        """The views of words, means over their pieces.

        Args:
            batch: ``token_ids``, ``segment_ids``, ``padding_mask`` and ``word_of``, each ``(B, L)``, and
                ``piece_counts`` ``(N,)``; optionally ``group_ends`` and the arrays of ``episodes.packing``.

        Returns:
            Float32 ``(N, word_dim)``. The first view has unit length; the squared length of the second is
            its weight in the kernel. Words without pieces are zeros.
        """
        counts = batch["piece_counts"]
        sums = tf.zeros((tf.shape(counts)[0], self.word_dim))
        for rows, last, lower in self._states(batch):
            word_of = batch["word_of"][rows, : tf.shape(last)[1]]
            sums += piece_sums(last, lower, word_of, num_words=tf.shape(counts)[0])
        return tf.ensure_shape(word_views(sums, counts), (counts.shape[0], self.word_dim))

    def names(self, batch: Tensors) -> tf.Tensor:
        """Features of a batch's label names: the first view of texts.

        Args:
            batch: ``label_token_ids`` and ``label_padding_mask``, each ``(C, L)``.

        Returns:
            Float32 ``(C, dim)``.
        """
        mask = batch["label_padding_mask"]
        texts = {
            "token_ids": batch["label_token_ids"],
            "segment_ids": tf.zeros_like(mask),
            "padding_mask": mask,
            "pool": tf.cast(mask, tf.float32),
        }
        if "group_ends" in batch:  # one group, cut to the length of the longest name
            texts["group_ends"] = tf.shape(mask)[:1]
        return self.texts(texts)[:, : self.dim]

    def encode(
        self,
        token_ids: Ragged,
        segment_ids: Ragged,
        word_starts: Ragged | None = None,
        *,
        batch_size: int = 64,
        on_progress: Callable[[int], None] | None = None,
    ) -> np.ndarray:
        """Features of any number of texts, or of all their words in order.

        Texts are encoded in order of length, so that little is spent on padding.

        Args:
            token_ids: Tokens of each text.
            segment_ids: Segments of the same tokens.
            word_starts: The first piece of each word of each text; ``None`` for features of whole texts.
            batch_size: Maximum number of texts that go through the backbone at once.
            on_progress: Called with the number of texts that were newly encoded.

        Returns:
            Float32 ``(num_texts, text_dim)``; with ``word_starts`` ``(num_words, word_dim)``, all words of
            all texts.
        """
        if word_starts is None:
            features = np.zeros((len(token_ids), self.text_dim), np.float32)
        else:
            features = np.zeros((int(word_starts.offsets[-1]), self.word_dim), np.float32)
        padding = None if tf.config.list_physical_devices("GPU") else PADDING_WORTH_A_PASS
        for rows in by_length(token_ids.lengths, max_size=batch_size, max_padding=padding):
            longest = int(token_ids.lengths[rows[-1]])
            batch = pad_tokens(token_ids, segment_ids, rows, len(rows), length=longest)
            if word_starts is None:
                features[rows] = self._texts(batch).numpy()
            else:
                self._encode_words(batch, rows, word_starts, features)
            if on_progress is not None:
                on_progress(len(rows))
        return features

    @property
    def tunable_depths(self) -> tuple[int, int]:
        """The smallest and the largest number of layers that can be tuned. Raises ``ValueError`` for none."""
        return tunable_depths(self.backbone)

    def tuned_layers(self, num_layers: int) -> TunedLayers:
        """The layers that tuning changes.

        Args:
            num_layers: How many of the last layers.

        Raises:
            ValueError: The encoder cannot be tuned, or not in this number of layers.
        """
        if num_layers not in self._tuned_layers:
            self._tuned_layers[num_layers] = TunedLayers(self.backbone, num_layers)
        return self._tuned_layers[num_layers]

    def tuned(self, delta: WeightDelta) -> TunedEncoder:
        """This encoder with other layers; it stays as it is, and shares what does not change.

        Args:
            delta: What tuning changed.

        Raises:
            ValueError: The delta is that of another encoder.
        """
        known = self._layer_names
        # One that fits no number of layers is compared with all of them, for the message.
        num_layers = next((num for num, names in known.items() if names == delta.names), max(known))
        return TunedEncoder(self.tuned_layers(num_layers), delta)

    @cached_property
    def _layer_names(self) -> dict[int, frozenset[str]]:
        """The names of the weights of each number of layers that can be tuned."""
        fewest, most = self.tunable_depths
        return {num: layer_names(self.backbone, num) for num in range(fewest, most + 1)}

    def _encode_words(
        self, batch: dict[str, Any], rows: np.ndarray, word_starts: Ragged, features: np.ndarray
    ) -> None:
        """Fill in the features of the words of ``rows``."""
        starts, offsets = [word_starts[row] for row in rows], word_starts.offsets
        batch |= word_arrays(batch["padding_mask"], starts, sum(map(len, starts)))
        del batch["pool"]
        spans = [np.arange(offsets[row], offsets[row + 1]) for row in rows]
        features[np.concatenate(spans)] = self._words(batch).numpy()

    def _states(self, batch: Tensors) -> Iterator[tuple[slice, tf.Tensor, tf.Tensor]]:
        """Groups of texts with their states of the last and the lower layer: float32 ``(rows, L', dim)``.

        ``L'`` is the length of a group's longest text. Texts of the packed groups share rows, where the
        backbone allows it. Without ``group_ends`` all texts are one group of length ``L``.
        """
        inputs = {name: batch[name] for name in self.backbone.input}
        # Outside a compiled step, tracing would take longer than it saves.
        is_compiled = not tf.executing_eagerly()
        if is_compiled and self._packed is not None and "packed_ends" in batch:
            shapes = tf.unstack(batch["packed_shapes"])
            groups = _groups(inputs, batch["packed_ends"])
            for (rows, group), shape in zip(groups, shapes, strict=True):
                last, lower = self._packed(group, batch["packed_starts"][rows], shape)
                yield rows, tf.cast(last, tf.float32), tf.cast(lower, tf.float32)
        elif "group_ends" in batch:
            encode = self._group if is_compiled else self._last_and_lower
            for rows, group in _groups(inputs, batch["group_ends"]):
                yield rows, *encode(group)
        else:
            yield slice(None), *self._last_and_lower(inputs)

    def _last_and_lower(self, inputs: Tensors) -> tuple[tf.Tensor, tf.Tensor]:
        # Without dropout: episodes are small and random already, and a resumed run stays exact.
        last, lower = self._layers(inputs, training=False)
        return tf.cast(last, tf.float32), tf.cast(lower, tf.float32)


def _groups(inputs: Tensors, ends: tf.Tensor) -> Iterator[tuple[slice, Tensors]]:
    """The texts of each group, cut to the longest of them."""
    lengths, first = tf.reduce_sum(inputs["padding_mask"], axis=1), 0
    for end in tf.unstack(ends):
        rows, first = slice(first, end), end
        longest = tf.reduce_max(lengths[rows])
        yield rows, {name: each[rows, :longest] for name, each in inputs.items()}


def _lower_states(backbone: keras.Model) -> Any:
    """The symbolic states two thirds up the transformer blocks."""
    outputs = block_outputs(backbone)
    if not outputs:
        _log.warning(
            "%s has no transformer blocks that could be recognized: the lower views of texts and words "
            "repeat its last layer",
            type(backbone).__name__,
        )
        return token_states(backbone)
    return outputs[lower_layer(len(outputs))]
