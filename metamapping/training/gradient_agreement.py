"""Gradient agreement: whether the sources of a round pull the shared weights in the same direction.

At the end of a round the gradient of each source's query loss is measured on ``NUM_BATCHES`` batches.
Its cosine similarity with the sum of the other sources' gradients shows whether a step that helps the one
source also helps the others; a negative similarity is a conflict (Yu et al., "Gradient surgery for
multi-task learning", NeurIPS 2020). The learner is not changed. If there are more than ``MAX_SOURCES``
sources, a random selection of that many is measured.

    measure_gradient_cosines(learner, spaces, plan)["hotel"]          # -1 to 1
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import tensorflow as tf

from metamapping.episodes.batches import build_batch
from metamapping.episodes.label_space import LabelSpace
from metamapping.episodes.sampler import AGREEMENT_STREAM, sample_batch
from metamapping.training.learner import Learner
from metamapping.training.loop import RoundPlan
from metamapping.training.meta_step import query_loss

NUM_BATCHES = 2
# Bounds the time that this takes at the end of a round, however many sources there are.
MAX_SOURCES = 64
# Gradients are sampled at about this many coordinates, which bounds the memory. The error of a cosine is
# then about 0.003.
NUM_COORDINATES = 100_000


def measure_gradient_cosines(
    learner: Learner,
    spaces: Sequence[LabelSpace],
    plan: RoundPlan,
    *,
    on_source: Callable[[int, int], None] | None = None,
) -> dict[str, float]:
    """The cosine similarity of each source's gradient with the sum of the others'.

    Args:
        learner: Encoder and mapping; not modified.
        spaces: The label spaces of the train sources.
        plan: The round; supplies its number, the seed of the run and the shape of the batches.
        on_source: Called before the first source and after each with the number of sources measured so far
            and the number of all sources to measure.

    Returns:
        A cosine for each measured source, -1 to 1. Empty with fewer than three sources, because two
        sources always have the same cosine, which says nothing about either.
    """
    if len(spaces) < 3:
        return {}
    # Scalars such as λ and the temperature are left out: their gradients are large, and they say how
    # confident to be, not what to predict.
    least = learner.encoder.dim
    weights = [
        v for v in learner.encoder_variables + learner.mapping_variables if math.prod(v.shape) >= least
    ]
    variables = [v.value for v in weights]
    size = sum(math.prod(v.shape) for v in variables)
    stride = max(1, size // NUM_COORDINATES)

    @tf.function(reduce_retracing=True)  # type: ignore[untyped-decorator]  # TensorFlow has no types
    def sampled_gradient(batch: dict[str, tf.Tensor]) -> tf.Tensor:
        with tf.GradientTape() as tape:
            loss = query_loss(learner, batch)
        gradients = tape.gradient(loss, variables, unconnected_gradients="zero")
        return tf.concat([tf.reshape(tf.convert_to_tensor(g), [-1])[::stride] for g in gradients], axis=0)

    gradients: dict[str, np.ndarray] = {}
    numbers = measured_sources(len(spaces), plan.seed, plan.round)
    for number in numbers:
        if on_source is not None:
            on_source(len(gradients), len(numbers))
        space, total = spaces[number], np.zeros(1)
        for index in range(NUM_BATCHES):
            rng = np.random.default_rng([plan.seed, AGREEMENT_STREAM, plan.round, number, index])
            draw = sample_batch(rng, [space], {}, plan.episodes)
            batch = build_batch(space, draw, plan.episodes)
            total = total + sampled_gradient({k: tf.constant(v) for k, v in batch.items()}).numpy()
        gradients[space.source] = total
    if on_source is not None:
        on_source(len(gradients), len(numbers))
    return gradient_cosines(gradients)


def measured_sources(num_sources: int, seed: int, round_number: int) -> list[int]:
    """Choose the sources whose gradients a round measures.

    Args:
        num_sources: Number of train sources.
        seed: Seed of the run.
        round_number: Number of the round, so that each round chooses others.

    Returns:
        The numbers of the sources, ascending: all of them, or a random ``MAX_SOURCES``.
    """
    rng = np.random.default_rng([seed, AGREEMENT_STREAM, round_number])
    return sorted(rng.permutation(num_sources)[:MAX_SOURCES].tolist())


def gradient_cosines(gradients: Mapping[str, np.ndarray]) -> dict[str, float]:
    """The cosine similarity of each gradient with the sum of the others, each scaled to unit length.

    Args:
        gradients: A vector for each source, all of one length.

    Returns:
        A cosine for each source; sources whose gradient is zero or not finite are left out.
    """
    unit = {}
    for source, gradient in gradients.items():
        norm = float(np.linalg.norm(gradient))
        if np.isfinite(norm) and norm > 0:
            unit[source] = gradient / norm
    cosines = {}
    for source, direction in unit.items():
        others = np.sum([g for other, g in unit.items() if other != source], axis=0)
        norm = float(np.linalg.norm(others))
        if norm > 0:
            cosines[source] = float(direction @ others) / norm
    return cosines
