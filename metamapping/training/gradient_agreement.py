"""Gradient agreement: whether the sources of a round pull the shared weights in the same direction.

In the second half of a round, when the first large steps are done, the gradients of the meta-steps are
sampled and summed for each source. The cosine similarity of a source's sum with that of the other sources
shows whether a step that helps the one source also helps the others; a negative similarity is a conflict (Yu
et al., "Gradient surgery for multi-task learning", NeurIPS 2020). The gradients are those that training
computes anyway. If there are more than ``MAX_SOURCES`` sources, a random selection of that many is measured.

    gradients = GradientSums(measured_sources(spaces, plan))
    gradients.add("hotel", sample_gradient(learner, gradients_of_a_batch).numpy())
    gradients.cosines()["hotel"]          # -1 to 1
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence

import numpy as np
import tensorflow as tf

from metamapping.episodes.sampler import AGREEMENT_STREAM
from metamapping.training.learner import Learner

# Bounds the memory, however many sources there are.
MAX_SOURCES = 64
# Gradients are sampled at about this many coordinates. The error of a cosine is then about 0.007.
NUM_COORDINATES = 20_000


def sample_gradient(learner: Learner, gradients: Sequence[tf.Tensor]) -> tf.Tensor:
    """Sample a gradient at about ``NUM_COORDINATES`` evenly spaced coordinates.

    Scalars such as λ and the temperature are left out: their gradients are large, and they say how confident
    to be, not what to predict.

    Args:
        learner: What the gradients belong to.
        gradients: In the order of ``meta_step.differentiate``.

    Returns:
        Float32 ``(num_coordinates,)``.
    """
    variables = learner.encoder_variables + learner.mapping_variables
    sizes = [math.prod(variable.shape) for variable in variables]
    least = learner.encoder.dim
    stride = max(1, sum(size for size in sizes if size >= least) // NUM_COORDINATES)
    return tf.concat(
        [
            tf.reshape(gradient, [-1])[::stride]
            for gradient, size in zip(gradients, sizes, strict=True)
            if size >= least
        ],
        axis=0,
    )


class GradientSums:
    """The sum of each source's sampled gradients, each scaled to unit length.

    Args:
        sources: Names of the sources that are measured.
        sums: The sums so far, by name.
    """

    def __init__(self, sources: Collection[str], sums: Mapping[str, np.ndarray] | None = None) -> None:
        self._sources = frozenset(sources)
        self.sums = dict(sums or {})

    def add(self, source: str, sample: np.ndarray) -> None:
        """Add the gradient of one batch; one that is zero or not finite says nothing.

        Args:
            source: Name of the batch's source; one that is not measured is ignored.
            sample: As returned by ``sample_gradient``.
        """
        norm = float(np.linalg.norm(sample))
        if source in self._sources and np.isfinite(norm) and norm > 0:
            self.sums[source] = self.sums.get(source, np.float32(0)) + sample / np.float32(norm)

    def cosines(self) -> dict[str, float]:
        """The cosine similarity of each source's gradient with the sum of the others'.

        Returns:
            A cosine for each measured source, -1 to 1. Empty with fewer than three sources, because two
            sources always have the same cosine, which says nothing about either.
        """
        return gradient_cosines(self.sums) if len(self.sums) >= 3 else {}


def measured_sources(sources: Sequence[str], seed: int, round_number: int) -> list[str]:
    """Choose the sources whose gradients a round measures.

    Args:
        sources: Names of the train sources.
        seed: Seed of the run.
        round_number: Number of the round, so that each round chooses others.

    Returns:
        All of the names, or a random ``MAX_SOURCES`` of them.
    """
    rng = np.random.default_rng([seed, AGREEMENT_STREAM, round_number])
    return [sources[number] for number in sorted(rng.permutation(len(sources))[:MAX_SOURCES])]


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
