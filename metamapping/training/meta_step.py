"""One meta-step: the outer update of meta-mapping, from a batch of one source to new weights.

This module implements the eight steps of "Meta-training: one meta-step" in docs/concepts.md, and its
comments use their numbers:

- ``query_loss`` (1 to 6): encode the batch's texts or words and its label names once; compute label
  vectors and prior; compute the mapping of every split in closed form from its support set, which is the
  inner update and has no gradient steps of its own; score the queries and average their cross-entropy.
- ``differentiate`` (7): back-propagate through the closed-form solve.
- ``apply_gradients`` (8): clip the gradient by its global norm, and let both optimizers take one step.

Where texts have any number of labels, each label is a decision of its own: the targets of the regression are
ones and zeros, and the loss is the binary cross-entropy of all labels (``label_losses``).

``update_weights`` does all of them. A batch is the result of ``episodes.batches.build_batch``: ``B`` texts
of one source, ``N`` items with a label (the texts, or for ``ner`` their words), ``C`` label slots, ``S``
splits.

    loss, gradients = update_weights(learner, batch, max_norm=1.0)
"""

from __future__ import annotations

import tensorflow as tf

from metamapping.models.encoder import Tensors
from metamapping.models.label_losses import label_losses
from metamapping.models.solvers.support_set import SupportSet, masked_logits, score
from metamapping.training.learner import Learner


def update_weights(learner: Learner, batch: Tensors, *, max_norm: float) -> tuple[tf.Tensor, list[tf.Tensor]]:
    """Take one meta-step on one batch.

    Args:
        learner: Its weights and optimizers are changed in place.
        batch: One batch as tensors.
        max_norm: The gradient is scaled down to this global norm where it exceeds it.

    Returns:
        The queries' loss before the step, a float32 scalar, NaN where no step was possible; and its gradients
        in the order of ``differentiate``.
    """
    loss, gradients = differentiate(learner, batch)
    return apply_gradients(learner, gradients, loss, max_norm=max_norm), gradients


def query_loss(learner: Learner, batch: Tensors) -> tf.Tensor:
    """Compute the mean cross-entropy of the queries over all splits of a batch.

    Args:
        learner: Encoder and mapping; not modified.
        batch: One batch as tensors.

    Returns:
        A float32 scalar: the mean over splits of the weighted mean over a split's queries.
    """
    encoder, mapping = learner.encoder, learner.mapping
    is_ner = "word_of" in batch

    # Step 1: features of the items, (N, d) for each view.
    if is_ner:
        # Only the first view of a word takes part, so that the lower layer's view stays as pretrained.
        x = mapping.add_word_shapes(encoder.words(batch), batch["word_shapes"])[:, : encoder.dim]
    else:
        x = encoder.texts(batch)
    label_mask, query_weights = batch["label_mask"], batch["query"]
    # Step 2: label vectors of every split, (S, C, dim).
    G = mapping.label_vectors(encoder.names(batch), batch["is_outside"], label_mask)

    # Steps 3 and 4: the prior, and the inner update, which computes the mapping of every split.
    if "label_sets" in batch:
        label_sets = batch["label_sets"]
        support = SupportSet(x, label_sets, batch["support"], label_mask)
        weights = mapping.compute_column_mapping(support, mapping.prior(G))
        logits = mapping.inverse_temperature * score(x, weights)
        return _mean_loss(label_losses(logits, label_sets, query_weights, label_mask), query_weights)
    support = SupportSet(x, batch["targets"], batch["support"], label_mask, is_independent=not is_ner)
    weights = mapping.compute_mapping(support, mapping.prior(G))

    # Steps 5 and 6: all items are scored, (S, N, C); the weight of an item that is not a query is 0.
    logits = masked_logits(score(x, weights), label_mask, mapping.inverse_temperature)
    targets = tf.broadcast_to(batch["targets"], tf.shape(query_weights))
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(targets, logits)
    return _mean_loss(losses, query_weights)


def _mean_loss(losses: tf.Tensor, query_weights: tf.Tensor) -> tf.Tensor:
    """The mean over splits of the weighted mean over a split's queries."""
    # An item that is not a query may have a label outside the split, for which the loss is about 1e9.
    losses = tf.where(query_weights > 0, query_weights * losses, tf.zeros_like(losses))
    total = tf.reduce_sum(query_weights, axis=-1)
    return tf.reduce_mean(tf.reduce_sum(losses, axis=-1) / tf.maximum(total, 1.0))


def differentiate(learner: Learner, batch: Tensors) -> tuple[tf.Tensor, list[tf.Tensor]]:
    """Compute the queries' loss and its gradient through the closed-form solve.

    Args:
        learner: Encoder, mapping and loss scale; not modified.
        batch: One batch as tensors.

    Returns:
        The loss, and one gradient for each of the encoder's trainable weights, then the mapping's.
    """
    scale = learner.loss_scale
    with tf.GradientTape() as tape:
        loss = query_loss(learner, batch)
        scaled = loss if scale is None else loss * scale.value
    variables = [v.value for v in learner.encoder_variables + learner.mapping_variables]
    gradients = [
        tf.convert_to_tensor(g) for g in tape.gradient(scaled, variables, unconnected_gradients="zero")
    ]
    return loss, gradients if scale is None else [g / scale.value for g in gradients]


def apply_gradients(
    learner: Learner, gradients: list[tf.Tensor], loss: tf.Tensor, *, max_norm: float
) -> tf.Tensor:
    """Let both optimizers take one step along gradients, clipped to a global norm.

    Gradients that are not finite are replaced by zeros and the loss by NaN, so that the caller can stop
    while the weights are still good. Where a loss scale can be lowered, it is lowered and the step is
    skipped instead.

    Args:
        learner: Its weights, optimizers and loss scale are changed in place.
        gradients: In the order of ``differentiate``.
        loss: The loss that they are the gradients of.
        max_norm: The largest global norm of the step.

    Returns:
        ``loss``, or NaN where the gradients were not usable.
    """
    encoder_variables, mapping_variables = learner.encoder_variables, learner.mapping_variables
    norm = tf.linalg.global_norm(gradients)
    factor = tf.minimum(1.0, max_norm / tf.maximum(norm, 1e-12))
    usable = tf.math.is_finite(norm) & tf.math.is_finite(loss)
    # Zero where the factor is, also of what is not finite.
    factor = tf.where(usable, factor, tf.zeros_like(factor))
    gradients = [tf.math.multiply_no_nan(g, factor) for g in gradients]

    def apply() -> tf.Tensor:
        learner.encoder_optimizer.apply(gradients[: len(encoder_variables)], encoder_variables)
        learner.mapping_optimizer.apply(gradients[len(encoder_variables) :], mapping_variables)
        return tf.where(usable, loss, tf.constant(float("nan"), loss.dtype))

    if learner.loss_scale is None:
        return apply()
    return learner.loss_scale.guard(usable | ~tf.math.is_finite(loss), apply, otherwise=loss)
