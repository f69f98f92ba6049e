"""Word steps: what one step of tuning to a task of named entities learns from, and its loss.

As in meta-training, several support/query splits of whole sentences are cut from the task's own, the
regression of words is computed from each support, and the cross-entropy of the queries' words is
back-propagated through it. Few words are parts of entities: each counts by its label's share.

    rows = sample_sentences(rng, num_tokens)
    supports = sample_word_supports(rng, lengths[rows], num_splits=8)           # bool (8, num_words)
    loss = word_loss(mapping, features, type_features, targets, supports)
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from metamapping.models.mapping import MetaMapping
from metamapping.models.solvers import SupportSet
from metamapping.models.solvers.plain_ridge import plain_ridge
from metamapping.models.solvers.support_set import masked_logits, score
from metamapping.tuning.lower_states import LowerStates
from metamapping.tuning.word_states import WordStates

# A step reads sentences of about this many tokens together, which takes some three seconds of CPU time.
MAX_STEP_TOKENS = 3_000
# The share of the sentences that are support lies between these, as that of texts.
_SMALLEST_SHARE, _LARGEST_SHARE = 0.2, 0.8
# A query's word counts by the number of words of its label to the power of minus this.
LOSS_BALANCE = 0.5


@dataclass(frozen=True)
class WordTaskStates:
    """The sentences of a task below the tuned layers; see ``tuning.steps.TaskStates``.

    Attributes:
        texts: States of the sentences.
        names: States of the types' names.
        targets: Label slots of all words, int32 ``(num_words,)``, "outside" at slot 0.
    """

    texts: WordStates
    names: LowerStates
    targets: np.ndarray

    def targets_of(self, rows: np.ndarray) -> np.ndarray:
        """The label slots of the words of some sentences.

        Args:
            rows: The sentences.
        """
        targets: np.ndarray = self.targets[self.texts.words_of(rows)].astype(np.int32)
        return targets

    def sample(
        self, rng: np.random.Generator, rows: np.ndarray, *, num_splits: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """The sentences of one step, and the words that are support in each of its splits.

        Args:
            rng: All randomness comes from it.
            rows: Sentences to learn from, at least two.
            num_splits: Number of splits.

        Returns:
            Sentences, and bool ``(num_splits, num_words)``.
        """
        chosen = rows[sample_sentences(rng, self.texts.num_tokens[rows])]
        lengths = np.diff(self.texts.offsets)[chosen]
        return chosen, sample_word_supports(rng, lengths, num_splits=num_splits)


def sample_sentences(rng: np.random.Generator, num_tokens: np.ndarray) -> np.ndarray:
    """Sentences for one step: all, or as many as have ``MAX_STEP_TOKENS`` together, and at least two.

    Args:
        rng: All randomness comes from it.
        num_tokens: Of each sentence, int ``(S,)``.

    Returns:
        Positions of sentences, ascending.
    """
    order = rng.permutation(len(num_tokens))
    count = int(np.searchsorted(np.cumsum(num_tokens[order]), MAX_STEP_TOKENS, side="right"))
    return np.sort(order[: max(2, count)])


def sample_word_supports(rng: np.random.Generator, lengths: np.ndarray, *, num_splits: int) -> np.ndarray:
    """The words of the supports of several splits, each with about one share of the sentences.

    Args:
        rng: All randomness comes from it.
        lengths: Number of words of each sentence, int ``(S,)``, at least two sentences.
        num_splits: Number of splits.

    Returns:
        Bool ``(num_splits, num_words)``; at least one sentence is on either side.
    """
    supports = np.zeros((num_splits, len(lengths)), bool)
    for support in supports:
        share = rng.uniform(_SMALLEST_SHARE, _LARGEST_SHARE)
        count = int(np.clip(round(share * len(lengths)), 1, len(lengths) - 1))
        support[rng.permutation(len(lengths))[:count]] = True
    return np.repeat(supports, lengths, axis=1)


def word_loss(
    mapping: MetaMapping,
    features: tf.Tensor,
    type_features: tf.Tensor,
    targets: tf.Tensor,
    supports: tf.Tensor,
) -> tf.Tensor:
    """The mean cross-entropy of the queries' words over all splits.

    Args:
        mapping: The meta-learned mapping, which is not changed.
        features: Of the words, float32 ``(N, NUM_WORD_VIEWS * dim)``.
        type_features: Of the names of the types, float32 ``(C - 1, dim)``.
        targets: Label slots, int32 ``(N,)``, "outside" at slot 0.
        supports: Float32 ``(num_splits, N)``, 1 for words of the support.

    Returns:
        A scalar.
    """
    names = tf.concat([tf.zeros_like(type_features[:1]), type_features], axis=0)
    is_label = tf.ones_like(names[:, 0])
    is_outside = tf.concat([[1.0], tf.zeros_like(is_label[1:])], axis=0)
    prior = mapping.prior(mapping.label_vectors(names, is_outside, is_label))
    support = SupportSet(features, targets, supports, is_label, is_independent=False)
    # Both views learn: in meta-training the lower one stays as it was pretrained.
    V = plain_ridge(support, prior, mapping.hyperparameters)
    logits = masked_logits(score(features, V), is_label, mapping.inverse_temperature)
    queries = (1.0 - supports) * _balance(targets, num_labels=tf.shape(is_label)[0])
    losses = queries * tf.nn.sparse_softmax_cross_entropy_with_logits(
        tf.broadcast_to(targets, tf.shape(queries)), logits
    )
    total = tf.maximum(tf.reduce_sum(queries, axis=-1), 1e-6)
    return tf.reduce_mean(tf.reduce_sum(losses, axis=-1) / total)


def _balance(targets: tf.Tensor, *, num_labels: tf.Tensor) -> tf.Tensor:
    """What each word counts: ``(N,)``."""
    counts = tf.math.unsorted_segment_sum(tf.ones_like(targets, tf.float32), targets, num_labels)
    return tf.gather(counts, targets) ** -LOSS_BALANCE
