"""Source similarity: how similar two sources are, by the features of some texts before meta-training.

A ``SourceProfile`` is a sample of a source's features; nothing is trained. Two profiles are compared in
two ways, each between 0 and 1:

- **texts**: are the texts similar? The kernel two-sample distance (Gretton et al., "A kernel two-sample
  test", JMLR 2012) with a Gaussian kernel, as ``1 − MMD² / (mean of the two kernels' own means)``.
- **label directions**: do the labels separate the texts in the same way? The alignment of the scatters
  of label means, ``⟨B, B'⟩ / (‖B‖ ‖B'‖)``. Reviews of cars and of books differ in their texts but are
  separated along one direction. Task embeddings (Achille et al. 2019; Vu et al., "Exploring and
  predicting transferability across NLP tasks", EMNLP 2020) derive a similar measure from gradients.

docs/experiments/selecting.md explains why these two are used, and why label names are not.

    profiles = [profile_source(encoder, space, rng) for space in spaces]
    source_similarity(profiles[0], profiles[1])
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from metamapping.episodes.label_space import LabelSpace

if TYPE_CHECKING:  # imports TensorFlow, which takes seconds
    from metamapping.models.encoder import Encoder

NUM_TEXTS = 300
# Bandwidth of the Gaussian kernel exp(−‖x − y‖² / 2σ²) between features of unit length: unrelated texts
# are about √2 apart, texts of one source about 1.
BANDWIDTH = 0.7


@dataclass(frozen=True)
class SourceProfile:
    """A sample of a source's features.

    Attributes:
        source: The source's name.
        texts: Features of texts, float32 ``(num_texts, d)``.
        scatter: For each label its mean minus the mean of all labels, times the square root of its
            share of the sample: ``(num_labels, d)``.
    """

    source: str
    texts: np.ndarray
    scatter: np.ndarray


def profile_source(encoder: Encoder, space: LabelSpace, rng: np.random.Generator) -> SourceProfile:
    """Compute the profile of a source from up to ``NUM_TEXTS`` of its texts, balanced over its labels.

    Args:
        encoder: The encoder before meta-training.
        space: The source's label space.
        rng: Chooses the texts.

    Returns:
        The profile, for ``ner`` with the scatter of the labels of words.
    """
    rows = _balanced_rows(space, rng)
    tokens, segments = space.token_ids.take(rows), space.segment_ids.take(rows)
    texts = encoder.encode(tokens, segments)[:, : encoder.dim]
    if space.label_sets is not None:  # a text counts once for each of its labels
        sets = space.label_sets.take(rows)
        items, labels = texts[np.repeat(np.arange(len(rows)), sets.lengths)], sets.values
    elif space.word_starts is None or space.word_labels is None:
        assert space.label_of is not None
        items, labels = texts, space.label_of[rows]
    else:
        items = encoder.encode(tokens, segments, space.word_starts.take(rows))[:, : encoder.dim]
        labels = space.word_labels.take(rows).values
    return SourceProfile(space.source, texts, label_scatter(items, labels))


def label_scatter(items: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """``√share_c (μ_c − μ)`` of each label ``c``, where ``μ`` is the mean of the label means.

    Args:
        items: Features, ``(num_items, d)``.
        labels: The label of each item, int ``(num_items,)``.

    Returns:
        ``(num_labels, d)``, in the order of the labels' numbers.
    """
    present, counts = np.unique(labels, return_counts=True)
    means = np.stack([items[labels == label].mean(axis=0) for label in present])
    scatter: np.ndarray = np.sqrt(counts / counts.sum())[:, None] * (means - means.mean(axis=0))
    return scatter


def source_similarity(a: SourceProfile, b: SourceProfile) -> float:
    """Compute the mean of text and direction similarity.

    Args:
        a: The profile of a source.
        b: The profile of another source, computed by the same encoder.

    Returns:
        A number from 0 to 1; a source has similarity 1 with itself.
    """
    return (text_similarity(a.texts, b.texts) + direction_similarity(a.scatter, b.scatter)) / 2


def similarity_table(profiles: Sequence[SourceProfile]) -> np.ndarray:
    """Compute the similarity of every pair of sources.

    Args:
        profiles: The profiles of the sources.

    Returns:
        Float64 ``(num_sources, num_sources)``, symmetric, 1 on the diagonal.
    """
    table = np.eye(len(profiles))
    for i, a in enumerate(profiles):
        for j, b in enumerate(profiles[:i]):
            table[i, j] = table[j, i] = source_similarity(a, b)
    return table


def text_similarity(a: np.ndarray, b: np.ndarray) -> float:
    """Compute ``1 − MMD² / ((k_aa + k_bb) / 2)``.

    With mean kernel values ``k`` this equals ``2 k_ab / (k_aa + k_bb)``.

    Args:
        a: Features of one source's texts, ``(num_texts, d)``.
        b: Features of another source's texts, ``(num_other_texts, d)``.

    Returns:
        A number from 0 to 1.
    """
    return float(2 * _mean_kernel(a, b) / (_mean_kernel(a, a) + _mean_kernel(b, b)))


def direction_similarity(a: np.ndarray, b: np.ndarray) -> float:
    """Compute ``⟨AᵀA, BᵀB⟩ / (‖AᵀA‖ ‖BᵀB‖)`` of two label scatters.

    Args:
        a: The label scatter of one source, ``(num_labels, d)``.
        b: The label scatter of another source, ``(num_other_labels, d)``.

    Returns:
        A number from 0 to 1; 0 if one of the scatters is zero.
    """
    norm = np.linalg.norm(a @ a.T) * np.linalg.norm(b @ b.T)
    return float(np.square(a @ b.T).sum() / norm) if norm > 0 else 0.0


def _mean_kernel(a: np.ndarray, b: np.ndarray) -> float:
    distances = np.square(a).sum(axis=1)[:, None] + np.square(b).sum(axis=1) - 2 * a @ b.T
    return float(np.exp(-np.maximum(distances, 0.0) / (2 * BANDWIDTH**2)).mean())


def _balanced_rows(space: LabelSpace, rng: np.random.Generator) -> np.ndarray:
    """Up to ``NUM_TEXTS`` rows, taken from the labels in turn, each row once."""
    queues = [rng.permutation(rows)[:NUM_TEXTS].copy() for rows in space.rows_of]
    longest = min(NUM_TEXTS, max(len(queue) for queue in queues))
    in_turn = [int(queue[i]) for i in range(longest) for queue in queues if i < len(queue)]
    return np.asarray(list(dict.fromkeys(in_turn))[:NUM_TEXTS])
