"""Steps: meta-steps on one task's own examples, which change a copy of its layers.

One step is that of meta-training (``training.meta_step``): several support/query splits are cut from the
examples, the mapping of each support is computed in closed form, and the queries' cross-entropy is
back-propagated through the solve, here into the weights of the tuned layers alone. A task of many labels has
a contrastive loss instead; one of named entities learns from its words (``word_steps``).

    meta_step = MetaStep.of(encoder.tuned_layers(6), mapping)
    for weights in tuned_weights(meta_step, examples, rng):          # endless: the caller stops
        ...
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache, partial

import numpy as np
import tensorflow as tf

from metamapping.models.mapping import MetaMapping
from metamapping.models.solvers import SupportSet
from metamapping.models.solvers.plain_ridge import plain_ridge
from metamapping.models.solvers.support_set import masked_logits, score
from metamapping.models.tuned_layers import TunedLayers
from metamapping.models.view_layout import NUM_VIEWS
from metamapping.tuning.contrastive import contrastive_loss
from metamapping.tuning.label_lists import list_loss, sample_list_rows, sample_list_supports
from metamapping.tuning.lower_states import LowerStates
from metamapping.tuning.splits import sample_pairs, sample_rows, sample_supports
from metamapping.tuning.word_steps import WordTaskStates, word_loss

LEARNING_RATE = 1e-4
MAX_TEXTS, NUM_SPLITS = 64, 8
# Tasks of more labels have the contrastive loss: a step reads two texts of each label, or of as many labels
# as make the second number of texts.
FEW_LABELS, MAX_PAIRED_TEXTS = 32, 128
_MAX_NORM = 1.0

# Adam's decay of the moments of gradients, and what keeps it from dividing by zero.
_FIRST_DECAY, _SECOND_DECAY, _EPSILON = 0.9, 0.999, 1e-7

Weights = list[tf.Tensor]
Optimizer = tuple[tf.Tensor, Weights, Weights]  # steps so far, first and second moments


@dataclass(frozen=True)
class TaskStates:
    """The examples of a task below the tuned layers.

    Attributes:
        texts: States of the texts.
        names: States of the labels' names.
        targets: Label slots, int32 ``(num_texts,)``; where a text has any number of labels, ones and zeros
            ``(num_texts, num_labels)``.
    """

    texts: LowerStates
    names: LowerStates
    targets: np.ndarray

    @property
    def is_multi_label(self) -> bool:
        """Whether a text has any number of labels."""
        return self.targets.ndim == 2

    @property
    def has_many_labels(self) -> bool:
        """Whether the loss is contrastive."""
        return len(self.names) > FEW_LABELS and not self.is_multi_label

    def targets_of(self, rows: np.ndarray) -> np.ndarray:
        """The labels of some texts, of the type that their loss takes.

        Args:
            rows: The texts.
        """
        targets: np.ndarray = self.targets[rows].astype(np.float32 if self.is_multi_label else np.int32)
        return targets

    def sample(
        self, rng: np.random.Generator, rows: np.ndarray, *, num_splits: int
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """The examples of one step, and their splits unless the loss is contrastive.

        Args:
            rng: All randomness comes from it.
            rows: Texts to learn from.
            num_splits: Number of splits.

        Returns:
            Texts, and bool ``(num_splits, num_texts)``.
        """
        targets = self.targets[rows]
        if self.is_multi_label:
            chosen = rows[sample_list_rows(rng, targets, max_texts=MAX_TEXTS)]
            return chosen, sample_list_supports(rng, len(chosen), num_splits=num_splits)
        if self.has_many_labels:
            return rows[sample_pairs(rng, targets, max_texts=MAX_PAIRED_TEXTS)], None
        chosen = rows[sample_rows(rng, targets, max_texts=MAX_TEXTS)]
        return chosen, sample_supports(rng, self.targets[chosen], num_splits=num_splits)


class MetaStep:
    """One step of tuning, compiled once for all tasks of an encoder.

    Args:
        layers: The tuned layers.
        mapping: The meta-learned mapping, which is not changed.
    """

    def __init__(self, layers: TunedLayers, mapping: MetaMapping) -> None:
        self.layers, self.mapping = layers, mapping
        self.start: Weights = layers.to_tensors(layers.base)
        weights = [tf.TensorSpec(each.shape, tf.float32) for each in self.start]
        texts, names = (tf.TensorSpec((None, n * layers.dim), tf.float32) for n in (NUM_VIEWS, 1))
        supports, targets = tf.TensorSpec((None, None), tf.float32), tf.TensorSpec((None,), tf.int32)
        optimizer = (tf.TensorSpec((), tf.float32), weights, weights)
        # Several functions and not one: the layers are compiled once for any number of batches.
        self._compiled_loss = tf.function(
            self._query_loss, input_signature=[texts, names, targets, supports], autograph=False
        )
        label_sets = tf.TensorSpec((None, None), tf.float32)
        self._compiled_list_loss = tf.function(
            partial(list_loss, mapping), input_signature=[texts, names, label_sets, supports], autograph=False
        )
        self._compiled_contrastive = tf.function(
            contrastive_loss, input_signature=[names, names, targets], autograph=False
        )
        self._compiled_move = tf.function(
            _move, input_signature=[weights, weights, optimizer], autograph=False
        )

    @property
    def optimizer_start(self) -> Optimizer:
        """The state of Adam before the first step."""
        zeros = [tf.zeros_like(each) for each in self.start]
        return tf.constant(0.0), zeros, zeros

    @classmethod
    def of(cls, layers: TunedLayers, mapping: MetaMapping) -> MetaStep:
        """The step of an encoder, which is compiled the first time only.

        Args:
            layers: The tuned layers.
            mapping: The meta-learned mapping.
        """
        return _meta_step(layers, mapping)

    def __call__(
        self,
        weights: Weights,
        optimizer: Optimizer,
        task: TaskStates | WordTaskStates,
        rows: np.ndarray,
        supports: np.ndarray | None,
    ) -> tuple[Weights, Optimizer, float]:
        """Take one step.

        Args:
            weights: The weights of the tuned layers.
            optimizer: The state of the optimizer.
            task: The examples.
            rows: Positions of the examples of this step.
            supports: As ``task.sample`` returns them; ``None`` for the contrastive loss.

        Returns:
            The new weights, the new state of the optimizer, and the loss before the step.
        """
        layers, names = self.layers, range(len(task.names))
        with tf.GradientTape() as tape:
            tape.watch(weights)
            features = task.texts.tensor(layers, weights, rows)
            name_features = task.names.tensor(layers, weights, names)[:, : layers.dim]
            targets = task.targets_of(rows)
            if isinstance(task, WordTaskStates):
                # Not compiled: the number of words is known here, and decides how the regression is solved.
                splits = tf.constant(supports, tf.float32)
                loss = word_loss(self.mapping, features, name_features, tf.constant(targets), splits)
            elif supports is None:
                loss = self._compiled_contrastive(features[:, : layers.dim], name_features, targets)
            else:
                query_loss = self._compiled_list_loss if task.is_multi_label else self._compiled_loss
                loss = query_loss(features, name_features, targets, supports.astype(np.float32))
        gradients = tape.gradient(loss, weights, unconnected_gradients="zero")
        return *self._compiled_move(weights, gradients, optimizer), float(loss)

    def _query_loss(
        self, x: tf.Tensor, name_features: tf.Tensor, targets: tf.Tensor, supports: tf.Tensor
    ) -> tf.Tensor:
        """The mean cross-entropy of the queries over all splits, as ``training.meta_step.query_loss``."""
        mapping = self.mapping
        is_label = tf.ones_like(name_features[:, 0])
        prior = mapping.prior(mapping.label_vectors(name_features, tf.zeros_like(is_label), is_label))
        support = SupportSet(x, targets, supports, is_label)
        # Every split takes part, also one whose support lacks a label: names say what it is.
        V = plain_ridge(support, prior, mapping.hyperparameters)
        logits = masked_logits(score(x, V), is_label, mapping.inverse_temperature)
        queries = 1.0 - supports
        all_targets = tf.broadcast_to(targets, tf.shape(queries))
        losses = queries * tf.nn.sparse_softmax_cross_entropy_with_logits(all_targets, logits)
        total = tf.maximum(tf.reduce_sum(queries, axis=-1), 1.0)
        return tf.reduce_mean(tf.reduce_sum(losses, axis=-1) / total)


def _move(weights: Weights, gradients: Weights, optimizer: Optimizer) -> tuple[Weights, Optimizer]:
    gradients, _ = tf.clip_by_global_norm(gradients, _MAX_NORM)
    return _adam(weights, gradients, optimizer)


def _adam(weights: Weights, gradients: Weights, optimizer: Optimizer) -> tuple[Weights, Optimizer]:
    """One step of Adam as a function: Keras's optimizers can change variables only."""
    count, first, second = optimizer
    count += 1.0
    first = [_FIRST_DECAY * m + (1 - _FIRST_DECAY) * g for m, g in zip(first, gradients, strict=True)]
    second = [
        _SECOND_DECAY * v + (1 - _SECOND_DECAY) * tf.square(g) for v, g in zip(second, gradients, strict=True)
    ]
    rate = LEARNING_RATE * tf.sqrt(1 - _SECOND_DECAY**count) / (1 - _FIRST_DECAY**count)
    moved = [w - rate * m / (tf.sqrt(v) + _EPSILON) for w, m, v in zip(weights, first, second, strict=True)]
    return moved, (count, first, second)


def tuned_weights(
    meta_step: MetaStep, task: TaskStates | WordTaskStates, rows: np.ndarray, rng: np.random.Generator
) -> Iterator[Weights]:
    """The weights after each step; it never ends by itself.

    Args:
        meta_step: The step.
        task: The examples of a task.
        rows: The positions of the examples to learn from, at least two of some label; or of two sentences.
        rng: Determines the splits.

    Raises:
        FloatingPointError: The loss is not finite.
    """
    weights, optimizer = meta_step.start, meta_step.optimizer_start
    while True:
        chosen, supports = task.sample(rng, rows, num_splits=NUM_SPLITS)
        weights, optimizer, loss = meta_step(weights, optimizer, task, chosen, supports)
        if not np.isfinite(loss):
            raise FloatingPointError(f"the loss of a step of tuning is {loss}")
        yield weights


@lru_cache(maxsize=4)
def _meta_step(layers: TunedLayers, mapping: MetaMapping) -> MetaStep:
    return MetaStep(layers, mapping)
