"""Lower states: the token states below the tuned layers, computed once for each text of a task.

states = LowerStates.of(layers, token_ids, segment_ids)
batch = states.batch([0, 3, 5])            # padded arrays, as the tuned layers read them
features = states.features(layers, weights)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from metamapping.corpus.ragged import Ragged
from metamapping.episodes.length_groups import by_length
from metamapping.episodes.packing import pack_group
from metamapping.episodes.padding import pad_tokens
from metamapping.models.tuned_layers import TunedLayers
from metamapping.models.view_layout import NUM_VIEWS, PADDING_WORTH_A_PASS

_BATCH_SIZE = 64
# A text counts with its first tokens, whose states have seen the whole of it. Of a pair, which is read from
# its second text, all are kept.
MAX_TOKENS = 96

Batch = tuple[np.ndarray, np.ndarray, np.ndarray]  # lower states, padding mask, pool
PackedBatch = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]  # states, texts, places, pool


@dataclass(frozen=True)
class LowerStates:
    """The states of some texts.

    Attributes:
        states: Float16 ``(num_tokens, dim)`` of each text.
        pools: Float32 ``(num_tokens,)`` of each text, 1 for tokens that are pooled.
    """

    states: list[np.ndarray]
    pools: list[np.ndarray]

    @classmethod
    def of(
        cls,
        layers: TunedLayers,
        token_ids: Ragged,
        segment_ids: Ragged,
        *,
        max_tokens: int | None = MAX_TOKENS,
    ) -> LowerStates:
        """Compute the states of texts.

        Args:
            layers: The tuned layers, which know those below them.
            token_ids: Tokens of each text.
            segment_ids: Segments of the same tokens.
            max_tokens: How many states of a single text are kept; ``None`` for all.
        """
        states: list[np.ndarray] = [np.zeros((0, layers.dim), np.float16)] * len(token_ids)
        pools: list[np.ndarray] = [np.zeros(0, np.float32)] * len(token_ids)
        for rows in _batches(token_ids.lengths):
            length = int(token_ids.lengths[rows[-1]])
            batch = pad_tokens(token_ids, segment_ids, rows, len(rows), length=length)
            lower = layers.states_below(batch["token_ids"], batch["padding_mask"], batch["segment_ids"])
            for row, each, pool in zip(rows, lower.numpy(), batch["pool"], strict=True):
                count = max(1, len(token_ids[row]))
                if max_tokens is not None and pool[0]:
                    count = min(count, max_tokens)
                states[row], pools[row] = each[:count].astype(np.float16), pool[:count]
        return cls(states, pools)

    def __len__(self) -> int:
        return len(self.states)

    def batch(self, rows: Sequence[int] | np.ndarray) -> Batch:
        """Padded states of some texts.

        Args:
            rows: The texts.

        Returns:
            States, float32 ``(B, L, dim)``, padding mask, int32 ``(B, L)``, and pool, float32 ``(B, L)``.
        """
        length = max(len(self.pools[row]) for row in rows)
        states = np.zeros((len(rows), length, self.states[rows[0]].shape[1]), np.float32)
        mask, pool = np.zeros((len(rows), length), np.int32), np.zeros((len(rows), length), np.float32)
        for i, row in enumerate(rows):
            count = len(self.pools[row])
            states[i, :count], mask[i, :count], pool[i, :count] = self.states[row], 1, self.pools[row]
        return states, mask, pool

    def packed(self, rows: Sequence[int] | np.ndarray) -> PackedBatch:
        """States of some texts in rows that they share.

        Args:
            rows: The texts.

        Returns:
            States, float32 ``(num_rows, row_length, dim)``; which text a position is of, int32 ``(num_rows,
            row_length)``, 0 for none; for each text the places of its tokens, counted through all rows, int32
            ``(B, L)``; and pool, float32 ``(B, L)``.
        """
        counts = self._lengths[np.asarray(rows)]
        starts, shape = pack_group(counts)
        states = np.zeros((shape[0] * shape[1], self.states[rows[0]].shape[1]), np.float32)
        text_of = np.zeros(len(states), np.int32)
        places = np.zeros((len(rows), counts.max()), np.int32)
        pool = np.zeros(places.shape, np.float32)
        for i, (row, start, count) in enumerate(zip(rows, starts, counts, strict=True)):
            mine = slice(start, start + count)
            states[mine], text_of[mine] = self.states[row], i + 1
            places[i, :count], pool[i, :count] = np.arange(start, start + count), self.pools[row]
        return states.reshape(*shape, -1), text_of.reshape(shape), places, pool

    def features(self, layers: TunedLayers, weights: Sequence[tf.Tensor]) -> np.ndarray:
        """The features of all texts under some weights of the tuned layers.

        Args:
            layers: The tuned layers.
            weights: As ``TunedLayers.to_tensors`` returns them.

        Returns:
            Float32 ``(num_texts, NUM_VIEWS * dim)``.
        """
        features = np.zeros((len(self), NUM_VIEWS * layers.dim), np.float32)
        max_padding = None if layers.can_pack else PADDING_WORTH_A_PASS
        for rows in by_length(self._lengths, max_size=_BATCH_SIZE, max_padding=max_padding):
            features[rows] = self._views(layers, weights, rows).numpy()
        return features

    def tensor(
        self, layers: TunedLayers, weights: Sequence[tf.Tensor], rows: Sequence[int] | np.ndarray
    ) -> tf.Tensor:
        """The features of some texts, through which gradients flow.

        Args:
            layers: The tuned layers.
            weights: As for ``features``.
            rows: The texts.

        Returns:
            Float32 ``(len(rows), NUM_VIEWS * dim)``.
        """
        rows = np.asarray(rows)
        if layers.can_pack:
            return self._views(layers, weights, rows)
        # In one batch most of the tokens of short texts would be padding, and so would be the memory.
        batches = _batches(self._lengths[rows])
        views = [self._views(layers, weights, rows[each]) for each in batches]
        return tf.gather(tf.concat(views, axis=0), np.argsort(np.concatenate(batches)))

    def _views(self, layers: TunedLayers, weights: Sequence[tf.Tensor], rows: np.ndarray) -> tf.Tensor:
        """The features of some texts in one pass, in rows that they share where the encoder allows it."""
        if layers.can_pack:
            return layers.compiled_packed_views(weights, *self.packed(rows))
        return layers.compiled_views(weights, *self.batch(rows))

    @property
    def _lengths(self) -> np.ndarray:
        return np.array([len(pool) for pool in self.pools])


def _batches(lengths: np.ndarray) -> list[np.ndarray]:
    return list(by_length(lengths, max_size=_BATCH_SIZE, max_padding=PADDING_WORTH_A_PASS))
