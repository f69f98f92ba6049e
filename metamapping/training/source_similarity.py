"""Closeness: how alike two sources are to the untrained encoder, from a few hundred texts each.

No labels are trained on and nothing is learned: a ``Profile`` is a sample of features, and closeness
compares two of them in two ways, each between 0 and 1.

``texts``: are the texts alike? The kernel two-sample distance (Gretton et al. 2012, "A kernel
two-sample test") under a Gaussian kernel, as ``1 − MMD² / (mean of the two kernels' own means)``.
``directions``: do the labels part the texts the same way? The alignment of the two scatters of label
means, ``⟨B, B'⟩ / (‖B‖ ‖B'‖)``: reviews of cars and of books part along one direction, far as their
texts are. It is what task embeddings (Achille et al. 2019; Vu et al. 2020, "Exploring and predicting
transferability across NLP tasks") read from gradients, in closed form. Why these two, and not the names of
the labels: ``docs/decisions/selecting.md``.

    profiles = [profile_of(encoder, space, rng) for space in spaces]
    closeness(profiles[0], profiles[1])
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from metamapping.episodes.label_space import LabelSpace

if TYPE_CHECKING:
    from metamapping.models.encoder import Encoder

NUM_TEXTS = 300
# Of the Gaussian kernel exp(−‖x − y‖² / 2σ²) between features of unit length: two texts without
# anything in common are about √2 apart, two of one source about 1.
BANDWIDTH = 0.7


@dataclass(frozen=True)
class Profile:
    """What is known of a source.

    ``texts``: float32 ``(num_texts, d)``. ``scatter``: ``(num_labels, d)``, each label's mean less
    their common mean, times the root of its share of the sample.
    """

    source: str
    texts: np.ndarray
    scatter: np.ndarray


def profile_of(encoder: Encoder, space: LabelSpace, rng: np.random.Generator) -> Profile:
    """The profile of a source from ``NUM_TEXTS`` of its texts, each label in turn."""
    rows = _rows_in_turn(space, rng)
    tokens, segments = space.token_ids.take(rows), space.segment_ids.take(rows)
    texts = encoder.encode(tokens, segments)[:, : encoder.dim]
    if space.word_starts is None or space.word_labels is None:
        assert space.label_of is not None
        items, labels = texts, space.label_of[rows]
    else:
        items = encoder.encode(tokens, segments, space.word_starts.take(rows))[:, : encoder.dim]
        labels = space.word_labels.take(rows).values
    return Profile(space.source, texts, label_scatter(items, labels))


def label_scatter(items: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """``√share_c (μ_c − μ)`` of each label ``c``, ``(num_labels, d)``, with ``μ`` the labels' mean."""
    present, counts = np.unique(labels, return_counts=True)
    means = np.stack([items[labels == label].mean(axis=0) for label in present])
    scatter: np.ndarray = np.sqrt(counts / counts.sum())[:, None] * (means - means.mean(axis=0))
    return scatter


def closeness(a: Profile, b: Profile) -> float:
    """Of two sources: the mean of the two, 0 to 1, and 1 of a source with itself."""
    return (text_closeness(a.texts, b.texts) + direction_closeness(a.scatter, b.scatter)) / 2


def closeness_table(profiles: Sequence[Profile]) -> np.ndarray:
    """Of each source with each: ``(num_sources, num_sources)``, symmetric, 1 on the diagonal."""
    table = np.eye(len(profiles))
    for i, a in enumerate(profiles):
        for j, b in enumerate(profiles[:i]):
            table[i, j] = table[j, i] = closeness(a, b)
    return table


def text_closeness(a: np.ndarray, b: np.ndarray) -> float:
    """``1 − MMD² / ((k_aa + k_bb) / 2)``, which is ``2 k_ab / (k_aa + k_bb)`` for mean kernels ``k``."""
    return float(2 * _kernel(a, b) / (_kernel(a, a) + _kernel(b, b)))


def direction_closeness(a: np.ndarray, b: np.ndarray) -> float:
    """``⟨AᵀA, BᵀB⟩ / (‖AᵀA‖ ‖BᵀB‖)`` of two label scatters; 0 where one of them parts nothing."""
    norm = np.linalg.norm(a @ a.T) * np.linalg.norm(b @ b.T)
    return float(np.square(a @ b.T).sum() / norm) if norm > 0 else 0.0


def _kernel(a: np.ndarray, b: np.ndarray) -> float:
    distances = np.square(a).sum(axis=1)[:, None] + np.square(b).sum(axis=1) - 2 * a @ b.T
    return float(np.exp(-np.maximum(distances, 0.0) / (2 * BANDWIDTH**2)).mean())


def _rows_in_turn(space: LabelSpace, rng: np.random.Generator) -> np.ndarray:
    """Up to ``NUM_TEXTS`` rows, one of each label after the other, without repeating any."""
    queues = [rng.permutation(rows) for rows in space.rows_of]
    longest = min(NUM_TEXTS, max(len(queue) for queue in queues))
    in_turn = [int(queue[i]) for i in range(longest) for queue in queues if i < len(queue)]
    return np.asarray(list(dict.fromkeys(in_turn))[:NUM_TEXTS])
