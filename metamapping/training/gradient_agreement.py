"""Agreement: whether the sources of a round pull the shared weights the same way.

At the end of a round the gradient of each source's query loss is measured on a few batches; its
cosine with the sum of the others' says whether a step for the one is a step for the others too.
A negative one is a conflict (Yu et al. 2020, "Gradient surgery for multi-task learning"). It costs
``NUM_BATCHES`` gradients a source and changes nothing; of many sources others are asked each round.

    measure_agreements(learner, spaces, plan)["hotel"]          # -1 to 1
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from metamapping.episodes.batches import build_batch
from metamapping.episodes.label_space import LabelSpace
from metamapping.episodes.sampler import AGREEMENT_STREAM, sample_batch

if TYPE_CHECKING:
    from metamapping.training.learner import Learner
    from metamapping.training.loop import RoundPlan

NUM_BATCHES = 2
# So many sources are asked at the end of a round, which then takes no longer however many there are.
MAX_SOURCES = 64
# A cosine over so many of the coordinates is off by about 0.003, and keeps a source's gradient small.
NUM_COORDINATES = 100_000


def measure_agreements(learner: Learner, spaces: Sequence[LabelSpace], plan: RoundPlan) -> dict[str, float]:
    """For each source the agreement of its gradient with the others'; nothing with fewer than three.

    With two, both agree equally, and the answer says nothing about either.
    """
    import tensorflow as tf

    from metamapping.training.meta_step import query_loss

    if len(spaces) < 3:
        return {}
    # Without τ, λ and their like, a few numbers each: their gradients are large, and say how sure to
    # be, not what of.
    least = learner.encoder.dim
    weights = [
        v for v in learner.encoder_variables + learner.mapping_variables if math.prod(v.shape) >= least
    ]
    variables = [v.value for v in weights]
    size = sum(math.prod(v.shape) for v in variables)
    stride = max(1, size // NUM_COORDINATES)

    @tf.function(reduce_retracing=True)  # type: ignore[untyped-decorator]  # TensorFlow has no types
    def some_of_the_gradient(batch: dict[str, tf.Tensor]) -> tf.Tensor:
        with tf.GradientTape() as tape:
            loss = query_loss(learner, batch)
        gradients = tape.gradient(loss, variables, unconnected_gradients="zero")
        return tf.concat([tf.reshape(tf.convert_to_tensor(g), [-1])[::stride] for g in gradients], axis=0)

    gradients: dict[str, np.ndarray] = {}
    for number in asked(len(spaces), plan.seed, plan.round):
        space, total = spaces[number], np.zeros(1)
        for index in range(NUM_BATCHES):
            rng = np.random.default_rng([plan.seed, AGREEMENT_STREAM, plan.round, number, index])
            draw = sample_batch(rng, [space], {}, plan.episodes)
            batch = build_batch(space, draw, plan.episodes)
            total = total + some_of_the_gradient({k: tf.constant(v) for k, v in batch.items()}).numpy()
        gradients[space.source] = total
    return agreements_of(gradients)


def asked(num_sources: int, seed: int, round: int) -> list[int]:
    """The numbers of the sources whose gradients a round measures: all, or ``MAX_SOURCES`` by chance."""
    rng = np.random.default_rng([seed, AGREEMENT_STREAM, round])
    return sorted(rng.permutation(num_sources)[:MAX_SOURCES].tolist())


def agreements_of(gradients: Mapping[str, np.ndarray]) -> dict[str, float]:
    """For each source the cosine of its gradient with the sum of the others', each at unit length.

    Without a finite direction of its own a source has none.
    """
    unit = {}
    for source, gradient in gradients.items():
        norm = float(np.linalg.norm(gradient))
        if np.isfinite(norm) and norm > 0:
            unit[source] = gradient / norm
    agreements = {}
    for source, direction in unit.items():
        others = np.sum([g for other, g in unit.items() if other != source], axis=0)
        norm = float(np.linalg.norm(others))
        if norm > 0:
            agreements[source] = float(direction @ others) / norm
    return agreements
