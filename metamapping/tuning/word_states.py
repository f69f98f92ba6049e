"""Word states: the token states below the tuned layers of a task of named entities, and whose they are.

states = WordStates.of(layers, mapping, tokens, windows, shapes, offsets)
x = states.tensor(layers, weights, [0, 3, 5])      # of the words of three sentences, in their order
features = states.features(layers, weights)        # of all words, as Featurizer.words for other weights

It stands in for ``LowerStates``, where items are words.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from metamapping.corpus.ragged import Ragged
from metamapping.episodes.length_groups import by_length
from metamapping.episodes.padding import word_arrays
from metamapping.models.mapping import MetaMapping
from metamapping.models.tuned_layers import TunedLayers
from metamapping.models.view_layout import PADDING_WORTH_A_PASS
from metamapping.tuning.lower_states import LowerStates

_BATCH_SIZE = 64


@dataclass(frozen=True)
class Window:
    """The words of a part of a sentence that the encoder reads at once.

    Attributes:
        text: The sentence.
        starts: The first piece of each word.
        positions: Of each word its position among the words of all sentences.
        is_owned: Whether the word's features are those of this window.
    """

    text: int
    starts: np.ndarray
    positions: np.ndarray
    is_owned: np.ndarray


@dataclass(frozen=True)
class WordStates:
    """The states of the sentences of a task; nearly all of them are one window.

    Attributes:
        states: Those of each window.
        windows: The words of each window.
        shapes: Int32 ``(num_words, 3)``, how each word is written.
        offsets: Sentence ``i`` has the words ``offsets[i]:offsets[i + 1]``.
        mapping: Has the learned vectors of the shapes.
    """

    states: LowerStates
    windows: list[Window]
    shapes: np.ndarray
    offsets: np.ndarray
    mapping: MetaMapping

    @classmethod
    def of(
        cls,
        layers: TunedLayers,
        mapping: MetaMapping,
        tokens: tuple[Ragged, Ragged],
        windows: list[Window],
        shapes: np.ndarray,
        offsets: np.ndarray,
    ) -> WordStates:
        """Compute the states of sentences.

        Args:
            layers: The tuned layers, which know those below them.
            mapping: The meta-learned mapping.
            tokens: Token ids and segment ids of the windows.
            windows: As the attribute.
            shapes: As the attribute.
            offsets: As the attribute.
        """
        states = LowerStates.of(layers, *tokens, max_tokens=None)
        return cls(states, windows, shapes, offsets, mapping)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def num_tokens(self) -> np.ndarray:
        """How many tokens the encoder reads of each sentence: int ``(num_sentences,)``."""
        lengths = [len(pool) for pool in self.states.pools]
        texts = [window.text for window in self.windows]
        return np.bincount(texts, lengths, minlength=len(self)).astype(np.int64)

    def words_of(self, rows: Sequence[int] | np.ndarray) -> np.ndarray:
        """The positions of the words of some sentences, in the order of ``rows``.

        Args:
            rows: Sentences.
        """
        return np.concatenate([np.arange(self.offsets[row], self.offsets[row + 1]) for row in rows])

    def tensor(
        self, layers: TunedLayers, weights: Sequence[tf.Tensor], rows: Sequence[int] | np.ndarray
    ) -> tf.Tensor:
        """The features of the words of some sentences, through which gradients flow.

        Args:
            layers: The tuned layers.
            weights: As ``TunedLayers.to_tensors`` returns them.
            rows: The sentences.

        Returns:
            Float32 ``(num_words_of_rows, NUM_WORD_VIEWS * dim)``, as ``words_of`` orders them. A word that
            the tokenizer gives no token has zeros.
        """
        words = self.words_of(rows)
        wanted = np.flatnonzero(np.isin([window.text for window in self.windows], rows))
        lengths = np.array([len(self.states.pools[number]) for number in wanted])
        place = np.full(int(self.offsets[-1]), -1)
        views, count = [], 0
        for group in by_length(lengths, max_size=_BATCH_SIZE, max_padding=PADDING_WORTH_A_PASS):
            numbers = wanted[group]
            states, mask, _ = self.states.batch(numbers)
            windows = [self.windows[number] for number in numbers]
            positions = np.concatenate([window.positions for window in windows])
            pieces = word_arrays(mask, [window.starts for window in windows], len(positions))
            views.append(layers.compiled_words(weights, states, mask, *pieces.values()))
            owned = np.flatnonzero(np.concatenate([window.is_owned for window in windows]))
            place[positions[owned]] = count + owned
            count += len(positions)
        has_states = place[words] >= 0
        features = tf.gather(tf.concat(views, axis=0), np.maximum(place[words], 0))
        with_shapes = self.mapping.add_word_shapes(features, tf.constant(self.shapes[words]))
        return with_shapes if has_states.all() else with_shapes * tf.constant(has_states[:, None], tf.float32)

    def features(self, layers: TunedLayers, weights: Sequence[tf.Tensor]) -> np.ndarray:
        """The features of all words under some weights of the tuned layers.

        Args:
            layers: The tuned layers.
            weights: As for ``tensor``.

        Returns:
            Float32 ``(num_words, NUM_WORD_VIEWS * dim)``.
        """
        groups = np.array_split(np.arange(len(self)), -(-len(self) // _BATCH_SIZE))
        return np.concatenate([self.tensor(layers, weights, rows).numpy() for rows in groups])
