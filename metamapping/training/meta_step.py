"""One meta-step."""

from __future__ import annotations

import tensorflow as tf

from metamapping.models.encoder import Tensors
from metamapping.models.solvers.support_set import SupportSet, masked_logits, score
from metamapping.training.learner import Learner


def update_weights(learner: Learner, batch: Tensors, *, max_norm: float) -> tf.Tensor:
    """The outer step of one batch: the gradient of the queries' loss, through the closed-form solve."""
    loss, gradients = differentiate(learner, batch)
    return apply_gradients(learner, gradients, loss, max_norm=max_norm)


def differentiate(learner: Learner, batch: Tensors) -> tuple[tf.Tensor, list[tf.Tensor]]:
    """The queries' loss and its gradients by the encoder's variables, then the mapping's."""
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
    """The optimizers' step along gradients, cut to ``max_norm``; returns the loss.

    Gradients that are not finite are taken as zero, and the loss is NaN then: the caller stops there,
    with good weights. With a loss scale to lower, it is lowered and the step is left out instead.
    """
    encoder_variables, mapping_variables = learner.encoder_variables, learner.mapping_variables
    norm = tf.linalg.global_norm(gradients)
    factor = tf.minimum(1.0, max_norm / tf.maximum(norm, 1e-12))
    usable = tf.math.is_finite(norm) & tf.math.is_finite(loss)
    gradients = [tf.where(usable, g * factor, tf.zeros_like(g)) for g in gradients]

    def apply() -> tf.Tensor:
        learner.encoder_optimizer.apply(gradients[: len(encoder_variables)], encoder_variables)
        learner.mapping_optimizer.apply(gradients[len(encoder_variables) :], mapping_variables)
        return tf.where(usable, loss, tf.constant(float("nan"), loss.dtype))

    if learner.loss_scale is None:
        return apply()
    return learner.loss_scale.guard(usable | ~tf.math.is_finite(loss), apply, otherwise=loss)


def query_loss(learner: Learner, batch: Tensors) -> tf.Tensor:
    """Mean cross-entropy of the queries over all splits of a batch (``episodes.batches``)."""
    encoder, mapping = learner.encoder, learner.mapping
    is_ner = "word_of" in batch
    if is_ner:  # of words the first view alone: the others stay what they were before
        x = mapping.shaped(encoder.words(batch), batch["word_shapes"])[:, : encoder.dim]
    else:
        x = encoder.texts(batch)
    label_mask, query = batch["label_mask"], batch["query"]
    G = mapping.label_vectors(encoder.names(batch), batch["is_outside"], label_mask)
    support = SupportSet(x, batch["targets"], batch["support"], label_mask, is_independent=not is_ner)
    weights = mapping.compute_mapping(support, mapping.prior(G))
    logits = masked_logits(score(x, weights), label_mask, mapping.scale)
    targets = tf.broadcast_to(batch["targets"], tf.shape(query))
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(targets, logits)
    # Items that are no query may have a label outside the split, with a loss of 1e9.
    losses = tf.where(query > 0, losses, tf.zeros_like(losses))
    count = tf.reduce_sum(query, axis=-1)
    return tf.reduce_mean(tf.reduce_sum(losses, axis=-1) / tf.maximum(count, 1.0))
