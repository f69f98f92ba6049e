"""List folds: which texts with any number of labels are left out together.

fold_of = list_folds(support.features, support.targets, num_folds=3)
"""

from __future__ import annotations

import numpy as np


def list_folds(features: np.ndarray, targets: np.ndarray, *, num_folds: int) -> np.ndarray:
    """The fold of each text: each label's texts are spread over the folds as evenly as possible.

    The labels of the fewest texts come first, and each of their texts goes to the fold that has the fewest of
    the label, then the fewest texts (Sechidis et al. 2011). The result does not depend on the order of the
    texts, and copies of a text are in one fold.

    Args:
        features: ``(N, width)``; texts of one first feature are copies.
        targets: ``(N, C)``, ones and zeros.
        num_folds: Number of folds.

    Returns:
        Int ``(N,)``.
    """
    _, text_of = np.unique(features[:, 0], return_inverse=True)
    num_texts = int(text_of.max()) + 1
    # A copy may have other labels: a text has all of them.
    has = np.zeros((num_texts, targets.shape[1]), bool)
    np.logical_or.at(has, text_of, targets > 0)
    fold_of = np.full(num_texts, -1)
    labels = [*np.argsort(has.sum(axis=0), kind="stable").tolist(), None]
    counts, sizes = np.zeros((num_folds, targets.shape[1]), int), np.zeros(num_folds, int)
    for label in labels:
        mine = has[:, label] if label is not None else np.ones(num_texts, bool)
        for text in np.flatnonzero(mine & (fold_of < 0)).tolist():
            of_label = counts[:, label] if label is not None else np.zeros(num_folds, int)
            fold = int(np.lexsort((sizes, of_label))[0])
            fold_of[text] = fold
            counts[fold] += has[text]
            sizes[fold] += 1
    folds: np.ndarray = fold_of[text_of]
    return folds
