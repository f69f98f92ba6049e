"""The encoder: a KerasHub backbone and the ways its states become features.

encoder = Encoder(build_backbone(spec, vocabulary_size=30522, seed=0))
x = encoder.texts(batch)                     # in a compiled step: float32 (B, text_dim)
x = encoder.encode(token_ids, segment_ids)   # any number of texts, outside of one: NumPy

A text has ``NUM_VIEWS`` features side by side, each ``dim`` wide and of unit length, its *views*: the mean
of the last layer's states, that of a lower layer's, and the mean of that layer's first two states, where
questions and commands say what they are. How much the other views count is fitted to each task
(``solvers.ridge``); figures: docs/decisions/views.md. A word has ``NUM_WORD_VIEWS``: the means of its pieces'
states in the last layer and in the lower one (docs/decisions/words.md). Label names have the last layer's
alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from metamapping.corpus.ragged import Ragged
from metamapping.episodes.batches import pad_tokens, word_arrays
from metamapping.episodes.length_groups import by_length
from metamapping.models.backbones import transformer_layers

Tensors = dict[str, tf.Tensor]

NUM_VIEWS, NUM_WORD_VIEWS = 3, 2
# Of the transformer's layers, counted from the first; and how many states are a text's beginning.
_LOWER_LAYER, _BEGINNING = 2 / 3, 2
# Of a word's lower view in the kernel, beside 1 of its first.
_LOWER_WEIGHT = 3.0


# Padding that is worth another pass through the backbone, in tokens: a pass costs as much as 20 to 30 of
# them on two cores. A GPU has room for padding, and each pass costs it a launch of every kernel.
_PADDING_OF_A_PASS = 32


class Encoder:
    """A backbone with its features; BERT-like (two-way) and GPT-like (causal) backbones alike."""

    def __init__(self, backbone: keras.Model) -> None:
        self.backbone = backbone
        self.dim = int(_output(backbone.output).shape[-1])
        self.text_dim, self.word_dim = NUM_VIEWS * self.dim, NUM_WORD_VIEWS * self.dim
        self._layers = keras.Model(backbone.input, [_output(backbone.output), _lower_output(backbone)])
        spec = tf.TensorSpec((None, None), tf.int32)
        tokens = {"token_ids": spec, "segment_ids": spec, "padding_mask": spec}
        pool = {"pool": tf.TensorSpec((None, None), tf.float32)}
        pieces = {"word_of": spec, "piece_counts": tf.TensorSpec((None,), tf.float32)}
        # One trace for every shape: the number of texts and their length are left open.
        self._texts = tf.function(self.texts, input_signature=[tokens | pool])
        self._words = tf.function(self.words, input_signature=[tokens | pieces])

    def texts(self, batch: Tensors) -> tf.Tensor:
        """The views of texts, pooled where ``pool`` is 1: float32 ``(B, text_dim)``."""
        pools, features = batch["pool"], []
        for rows, last, lower in self._states(batch):
            pool = pools[rows, : tf.shape(last)[1]]
            beginning = pool * tf.cast(tf.cumsum(pool, axis=1) <= _BEGINNING, pool.dtype)
            views = [_mean(last, pool), _mean(lower, pool), _mean(lower, beginning)]
            features.append(tf.concat(views, axis=-1))
        return tf.ensure_shape(tf.concat(features, axis=0), (pools.shape[0], self.text_dim))

    def words(self, batch: Tensors) -> tf.Tensor:
        """The views of words, side by side: float32 ``(N, word_dim)``.

        The first has unit length, the other's square is its weight in the kernel.
        """
        counts = batch["piece_counts"]
        sums = tf.zeros((tf.shape(counts)[0], self.word_dim))
        for rows, last, lower in self._states(batch):
            both = tf.concat([last, lower], axis=-1)
            word_of = batch["word_of"][rows, : tf.shape(last)[1]]
            sums += tf.math.unsorted_segment_sum(both, word_of, tf.shape(counts)[0])
        means = tf.split(sums / tf.maximum(counts, 1.0)[:, None], NUM_WORD_VIEWS, axis=-1)
        last, lower = (tf.math.l2_normalize(mean, axis=-1) for mean in means)
        views = tf.concat([last, tf.sqrt(_LOWER_WEIGHT) * lower], axis=-1)
        return tf.ensure_shape(views, (counts.shape[0], self.word_dim))

    def names(self, batch: Tensors) -> tf.Tensor:
        """Features of a batch's label names, the first view of texts: float32 ``(C, dim)``."""
        mask = batch["label_padding_mask"]
        texts = {
            "token_ids": batch["label_token_ids"],
            "segment_ids": tf.zeros_like(mask),
            "padding_mask": mask,
            "pool": tf.cast(mask, tf.float32),
        }
        if "group_ends" in batch:  # as long as the longest name
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
        """Features of texts, float32 ``(num_texts, text_dim)``, or of all their words in order.

        Texts are encoded in order of length, so that little is spent on padding. With
        ``word_starts`` the result is ``(word_starts.offsets[-1], word_dim)``.
        """
        if word_starts is None:
            features = np.zeros((len(token_ids), self.text_dim), np.float32)
        else:
            features = np.zeros((int(word_starts.offsets[-1]), self.word_dim), np.float32)
        padding = None if tf.config.list_physical_devices("GPU") else _PADDING_OF_A_PASS
        for rows in by_length(token_ids.lengths, most=batch_size, padding=padding):
            longest = int(token_ids.lengths[rows[-1]])
            batch = pad_tokens(token_ids, segment_ids, rows, len(rows), length=longest)
            if word_starts is None:
                features[rows] = self._texts(batch).numpy()
            else:
                self._encode_words(batch, rows, word_starts, features)
            if on_progress is not None:
                on_progress(len(rows))
        return features

    def _encode_words(
        self, batch: dict[str, Any], rows: np.ndarray, word_starts: Ragged, features: np.ndarray
    ) -> None:
        """Fill in the words of ``rows``."""
        starts, offsets = [word_starts[row] for row in rows], word_starts.offsets
        batch |= word_arrays(batch["padding_mask"], starts, sum(map(len, starts)))
        del batch["pool"]
        spans = [np.arange(offsets[row], offsets[row + 1]) for row in rows]
        features[np.concatenate(spans)] = self._words(batch).numpy()

    def _states(self, batch: Tensors) -> Iterator[tuple[slice, tf.Tensor, tf.Tensor]]:
        """Groups of texts with their states of the last and the lower layer: float32 ``(rows, L', dim)``.

        ``L'`` is a group's longest text. Without ``group_ends`` all texts are one group, padded as they come.
        """
        inputs = {name: batch[name] for name in self.backbone.input}
        if "group_ends" not in batch:
            yield slice(None), *self._of_layers(inputs)
            return
        lengths, first = tf.reduce_sum(batch["padding_mask"], axis=1), 0
        for end in tf.unstack(batch["group_ends"]):
            rows, first = slice(first, end), end
            longest = tf.reduce_max(lengths[rows])
            yield rows, *self._of_layers({name: each[rows, :longest] for name, each in inputs.items()})

    def _of_layers(self, inputs: Tensors) -> tuple[tf.Tensor, tf.Tensor]:
        # Without dropout: episodes are small and random as it is, and a resumed run stays exact.
        last, lower = self._layers(inputs, training=False)
        return tf.cast(last, tf.float32), tf.cast(lower, tf.float32)


def _lower_output(backbone: keras.Model) -> Any:
    """The states of the layer two thirds up; of a backbone without such layers the last ones again."""
    blocks = transformer_layers(backbone)
    if not blocks:
        return _output(backbone.output)
    return _output(blocks[max(0, round(_LOWER_LAYER * len(blocks)) - 1)].output)


def _mean(states: tf.Tensor, pool: tf.Tensor) -> tf.Tensor:
    """The mean of the states where ``pool`` is 1, at unit length: ``(B, dim)``."""
    total = tf.reduce_sum(states * pool[..., None], axis=1)
    mean = total / tf.maximum(tf.reduce_sum(pool, axis=1, keepdims=True), 1.0)
    return tf.math.l2_normalize(mean, axis=-1)


def _output(outputs: Any) -> Any:
    """The states among a backbone's outputs: BERT has a pooled output beside them."""
    return outputs["sequence_output"] if isinstance(outputs, dict) else outputs
