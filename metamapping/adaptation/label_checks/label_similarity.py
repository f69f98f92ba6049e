"""Label similarity: how well the label of each text fits those of the texts that are most like it.

To judge labels, texts are compared more locally than to predict new ones: by the kernel
``1 + exp(β (s − 1))`` of their mean cosine similarity s over all views. Ridge regression with this kernel
has the same closed form for examples that are left out as the task's own (``smoother``), and the label names
count as they do in the task.

    scores = similarity_scores(state)        # (num_texts, num_labels), each text by all others

Above ``MAX_EXACT`` texts the kernel is approximated from an even selection of them (Nyström; Williams and
Seeger, NeurIPS 2000), so that memory grows with the number of texts and not with its square.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from metamapping.adaptation.algebra.smoother import KernelSmoother, Smoother, smoother_of
from metamapping.adaptation.algebra.support import Support
from metamapping.adaptation.left_out import blocks_of, centred
from metamapping.adaptation.state import TaskState

# β and λ were chosen on sources that the benchmark does not use: docs/experiments/label-noise.md.
STEEPNESS, RIDGE = 4.0, 1.0
MAX_EXACT, _NUM_LANDMARKS = 2_500, 1_000
# Relative to the kernel's diagonal of 1, so that copies of a text among the landmarks do no harm.
_JITTER = 1e-5


def similarity_scores(state: TaskState, *, groups: Sequence[Any] | None = None) -> np.ndarray:
    """Score every text by the labels of the other texts.

    Args:
        state: A task with one label for each text, and with examples.
        groups: As for ``left_out.left_out_scores``.

    Returns:
        Scores ``(num_texts, num_labels)``.

    Raises:
        ValueError: As ``left_out.left_out_scores``.
    """
    blocks, support, solution = blocks_of(state, groups), state.support, state.solution
    prior = support.features @ solution.prior[:-1] + solution.prior[-1]
    right = centred(support.targets, len(state.labels)) - prior
    scores: np.ndarray = prior + _smoother(support).left_out(right, blocks)
    return scores


def _smoother(support: Support) -> Smoother:
    features = support.features
    if len(features) <= MAX_EXACT:
        return KernelSmoother(1.0 + _kernel(features, features, support.num_views).astype(np.float64), RIDGE)
    by_label = np.argsort(support.targets, kind="stable")
    chosen = by_label[np.linspace(0, len(features) - 1, _NUM_LANDMARKS).astype(int)]
    landmarks = features[chosen]
    within = _kernel(landmarks, landmarks, support.num_views).astype(np.float64)
    root = np.linalg.inv(np.linalg.cholesky(within + _JITTER * np.eye(len(within)))).T.astype(np.float32)
    H = np.ones((len(features), _NUM_LANDMARKS + 1), np.float32)
    H[:, :-1] = _kernel(features, landmarks, support.num_views) @ root
    return smoother_of(H, RIDGE)


def _kernel(texts: np.ndarray, others: np.ndarray, num_views: int) -> np.ndarray:
    """``exp(β (s − 1))``, ``(num_texts, num_others)``; every view has unit length."""
    similarity = texts @ others.T
    similarity *= np.float32(STEEPNESS / num_views)
    similarity -= np.float32(STEEPNESS)
    kernel: np.ndarray = np.exp(similarity, out=similarity)
    return kernel
