"""Tuned encoder: an encoder with the tuned layers of one task, in TensorFlow.

Any number of tuned encoders share the embeddings and the layers that do not change. In memory a task has its
delta alone; the weights of the tasks that were used last are kept.

    encoder = Encoder(backbone).tuned(delta)
    x = encoder.encode(token_ids, segment_ids)          # float32 (num_texts, text_dim)
    x = encoder.encode(token_ids, segment_ids, word_starts)         # float32 (num_words, word_dim)
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from metamapping.corpus.ragged import Ragged
from metamapping.episodes.length_groups import by_length
from metamapping.episodes.padding import pad_tokens, word_arrays
from metamapping.models.tuned_layers import TunedLayers
from metamapping.models.view_layout import NUM_VIEWS, NUM_WORD_VIEWS, PADDING_WORTH_A_PASS
from metamapping.models.weight_delta import WeightDelta


class TunedEncoder:
    """An encoder with other layers.

    Args:
        layers: The layers of the encoder that are replaced.
        delta: What tuning changed.

    Attributes:
        dim: Width of one view.
        text_dim: Width of a text's features.
        word_dim: Width of a word's features.

    Raises:
        ValueError: The delta is that of another encoder.
    """

    def __init__(self, layers: TunedLayers, delta: WeightDelta) -> None:
        delta.check_fits({name: array.shape for name, array in layers.base.items()})
        self._layers, self._delta, self.dim = layers, delta, layers.dim
        self.text_dim, self.word_dim = NUM_VIEWS * self.dim, NUM_WORD_VIEWS * self.dim

    def encode(
        self,
        token_ids: Ragged,
        segment_ids: Ragged,
        word_starts: Ragged | None = None,
        *,
        batch_size: int = 64,
        on_progress: Callable[[int], None] | None = None,
    ) -> np.ndarray:
        """Features of any number of texts or their words, as ``Encoder.encode`` computes them.

        Args:
            token_ids: Tokens of each text.
            segment_ids: Segments of the same tokens.
            word_starts: The first piece of each word of each text; ``None`` for features of whole texts.
            batch_size: Maximum number of texts that go through the encoder at once.
            on_progress: Called with the number of texts that were newly encoded.

        Returns:
            Float32 ``(num_texts, text_dim)``; with ``word_starts`` ``(num_words, word_dim)``.
        """
        weights = self._layers.tensors_of(self._delta)
        if word_starts is None:
            features = np.zeros((len(token_ids), self.text_dim), np.float32)
        else:
            features = np.zeros((int(word_starts.offsets[-1]), self.word_dim), np.float32)
        for rows in by_length(token_ids.lengths, max_size=batch_size, max_padding=PADDING_WORTH_A_PASS):
            longest = int(token_ids.lengths[rows[-1]])
            batch = pad_tokens(token_ids, segment_ids, rows, len(rows), length=longest)
            below = self._layers.states_below(batch["token_ids"], batch["padding_mask"], batch["segment_ids"])
            if word_starts is None:
                views = self._layers.compiled_views(weights, below, batch["padding_mask"], batch["pool"])
                features[rows] = views.numpy()
            else:
                starts, offsets = [word_starts[row] for row in rows], word_starts.offsets
                pieces = word_arrays(batch["padding_mask"], starts, sum(map(len, starts)))
                words = self._layers.compiled_words(weights, below, batch["padding_mask"], *pieces.values())
                spans = [np.arange(offsets[row], offsets[row + 1]) for row in rows]
                features[np.concatenate(spans)] = words.numpy()
            if on_progress is not None:
                on_progress(len(rows))
        return features

    def tuned(self, delta: WeightDelta) -> TunedEncoder:
        """The encoder with the same layers of another task.

        Args:
            delta: What tuning changed, compared with the encoder before any tuning.

        Raises:
            ValueError: The delta is that of another encoder, or of other layers.
        """
        return TunedEncoder(self._layers, delta)
