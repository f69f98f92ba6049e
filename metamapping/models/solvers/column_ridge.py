"""Column ridge: ridge regression where an item has any number of labels, each label by itself.

The targets are 1 for the labels of an item and 0 for all others. Training takes α, λ and the weights of the
views as they are learned; adaptation fits them to the task around these values
(``adaptation.multi_label.multi_label``).

    weights = column_ridge(support, prior, hyperparameters)
"""

from __future__ import annotations

import tensorflow as tf

from metamapping.models.solvers.hyperparameters import Hyperparameters
from metamapping.models.solvers.plain_ridge import regress
from metamapping.models.solvers.support_set import SupportSet
from metamapping.models.solvers.views import with_weighted_views


@with_weighted_views
def column_ridge(support: SupportSet, prior: tf.Tensor, hyperparameters: Hyperparameters) -> tf.Tensor:
    """Ridge regression on ones and zeros with the given α and λ.

    Args:
        support: The items of each task, with targets ``(..., N, C)``.
        prior: P, ``(..., d + 1, C)``.
        hyperparameters: ``alpha`` and ``ridge`` are used.

    Returns:
        V, ``(..., d + 1, C)``.
    """
    return regress(support, support.targets * support.label_mask[..., None, :], prior, hyperparameters)
