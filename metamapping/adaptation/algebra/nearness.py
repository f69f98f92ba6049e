"""Nearness: how near a text is to the examples of its predicted label, by which it belongs to a task or not.

    near = nearness(features, scores, support)

What it means is fitted in ``calibration``; why it is measured so: docs/experiments/threshold.md.
"""

from __future__ import annotations

import numpy as np

from metamapping.adaptation.algebra.support import Support

# Examples whose cosine similarities are computed at once, which bounds the memory.
_EXAMPLES_PER_CHUNK = 4_096


def nearness(
    features: np.ndarray,
    scores: np.ndarray,
    support: Support,
    *,
    items: np.ndarray | None = None,
    by_mean: bool = True,
) -> np.ndarray:
    """How near texts are to their predicted label.

    This is the predicted label's score plus the cosine similarities to its most similar example and to the
    mean of its examples.

    Args:
        features: ``(num_texts, num_views * dim)``.
        scores: ``(num_texts, num_labels)``, of the ridge regression.
        support: The task's examples.
        items: ``(num_texts,)``, the texts' positions in ``support`` if they are examples themselves;
            no text is compared with itself, nor with a mean that it is part of.
        by_mean: Whether the mean counts.

    Returns:
        Float ``(num_texts,)``.
    """
    best = scores.argmax(axis=-1)
    near: np.ndarray = scores[np.arange(len(scores)), best]
    text_view, example_view = support.first_view(features), support.first_view(support.features)
    for label in np.unique(best):
        examples = np.flatnonzero(support.targets == label)
        if len(examples):
            texts = np.flatnonzero(best == label)
            own = None if items is None else items[texts]
            near[texts] += _max_similarity(text_view[texts], examples, example_view, own)
            if by_mean:
                near[texts] += _mean_similarity(text_view[texts], examples, example_view, own)
    return near


def _mean_similarity(
    text_view: np.ndarray, examples: np.ndarray, example_view: np.ndarray, items: np.ndarray | None
) -> np.ndarray:
    """Cosine similarity of each text to the sum of ``examples``, less itself if it is one of them."""
    total = example_view[examples].sum(axis=0, dtype=np.float64)
    products, squared = text_view @ total, np.full(len(text_view), total @ total)
    if items is not None:
        is_own = np.isin(items, examples)
        own = (text_view[is_own] ** 2).sum(axis=-1, dtype=np.float64)
        squared[is_own] += own - 2 * products[is_own]
        products[is_own] -= own
    lengths = np.sqrt(np.maximum(squared, 0.0))
    similarity: np.ndarray = np.divide(products, lengths, out=np.zeros_like(products), where=lengths > 1e-6)
    return similarity


def _max_similarity(
    text_view: np.ndarray, examples: np.ndarray, example_view: np.ndarray, items: np.ndarray | None
) -> np.ndarray:
    """Cosine similarity of each text to its most similar one of ``examples``, computed in chunks."""
    maximum = np.full(len(text_view), -np.inf, np.float32)
    for first in range(0, len(examples), _EXAMPLES_PER_CHUNK):
        chunk = examples[first : first + _EXAMPLES_PER_CHUNK]
        cosine = text_view @ example_view[chunk].T
        if items is not None:
            cosine[items[:, None] == chunk] = -np.inf
        maximum = np.maximum(maximum, cosine.max(axis=-1))
    return maximum
