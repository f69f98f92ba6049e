"""Simpler methods on frozen features, as scikit-learn offers them: what a practitioner would try first.

In: the features and labels of a task's examples, and the features of its queries. Out: a predicted label for
each query. No method sees the names of the labels.

    simpler_methods()["prototypes"](features, labels, queries)
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression, RidgeClassifierCV
from sklearn.model_selection import GridSearchCV

Labels = Sequence[str]
Predict = Callable[[np.ndarray, Labels, np.ndarray], np.ndarray]

STANDARD_C, GRID = 1.0, (1.0, 10.0, 100.0)
NUM_FOLDS = 3
RIDGES = tuple(np.logspace(-3, 1, 9))


def logistic_regression(
    features: np.ndarray, labels: Labels, queries: np.ndarray, *, strength: float = STANDARD_C
) -> np.ndarray:
    """Multinomial logistic regression; ``strength`` is scikit-learn's C, whose default is 1."""
    return _predict(LogisticRegression(C=strength, max_iter=1_000), features, labels, queries)


class ValidatedRegression:
    """Multinomial logistic regression whose C is chosen by the likelihood of left-out folds of the examples.

    C is chosen in the first call and kept, so that many draws of the same task cost little more than one.
    With a single example of some label nothing can be left out, and C is 1.
    """

    def __init__(self) -> None:
        self._c: float | None = None

    def __call__(self, features: np.ndarray, labels: Labels, queries: np.ndarray) -> np.ndarray:
        """Predict a label for each query."""
        if self._c is None:
            self._c = _choose_c(features, labels)
        return logistic_regression(features, labels, queries, strength=self._c)


def prototypes(features: np.ndarray, labels: Labels, queries: np.ndarray) -> np.ndarray:
    """The label whose mean is nearest."""
    names, slots = np.unique(np.asarray(labels), return_inverse=True)
    means = np.stack([features[slots == slot].mean(axis=0) for slot in range(len(names))])
    # The squared distance without the query's own length, which is the same for all labels.
    near = queries @ means.T - (means**2).sum(axis=1) / 2
    predicted: np.ndarray = names[near.argmax(axis=1)]
    return predicted


def ridge_classifier(features: np.ndarray, labels: Labels, queries: np.ndarray) -> np.ndarray:
    """Ridge regression to one-hot labels, with the ridge chosen by leave-one-out."""
    return _predict(RidgeClassifierCV(alphas=RIDGES), features, labels, queries)


def simpler_methods() -> dict[str, Predict]:
    """The methods by name, for the draws of one task with one number of examples."""
    return {
        "logistic regression, C = 1": logistic_regression,
        "logistic regression, C by folds": ValidatedRegression(),
        "prototypes": prototypes,
        "ridge classifier": ridge_classifier,
    }


def _choose_c(features: np.ndarray, labels: Labels) -> float:
    num_folds = min(NUM_FOLDS, *Counter(labels).values())
    if num_folds < 2:
        return STANDARD_C
    search = GridSearchCV(
        LogisticRegression(max_iter=1_000),
        {"C": list(GRID)},
        scoring="neg_log_loss",
        cv=num_folds,
        refit=False,
    )
    return float(search.fit(features, np.asarray(labels)).best_params_["C"])


def _predict(model: Any, features: np.ndarray, labels: Labels, queries: np.ndarray) -> np.ndarray:
    predicted: np.ndarray = model.fit(features, np.asarray(labels)).predict(queries)
    return predicted
