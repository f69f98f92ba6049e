"""Logistic regression: the solution is scikit-learn's, the gradient that of finite differences."""

import numpy as np
import pytest
from scipy.optimize import check_grad
from scipy.special import softmax
from sklearn.linear_model import LogisticRegression

from metamapping.adaptation.algebra.logistic import Basis, fit, loss

RIDGE = 0.3


def task(num_items, width=6, num_labels=4):
    rng = np.random.default_rng(0)
    H = rng.normal(size=(num_items, width))
    return H, rng.permutation(np.arange(num_items) % num_labels), rng.normal(size=(num_items, num_labels))


@pytest.mark.parametrize("num_items", [5, 40], ids=["fewer items than features", "more"])
def test_without_names_the_solution_is_that_of_scikit_learn(num_items):
    H, targets, offset = task(num_items)
    basis = Basis.of(H)
    logits = basis.items @ fit(basis, targets, np.zeros_like(offset), ridge=RIDGE, tolerance=1e-12)[:, 0]
    peer = LogisticRegression(C=1 / RIDGE, fit_intercept=False, tol=1e-10, max_iter=10_000).fit(H, targets)
    np.testing.assert_allclose(softmax(logits, axis=1), peer.predict_proba(H), atol=1e-4)


@pytest.mark.parametrize("num_items", [5, 40], ids=["fewer items than features", "more"])
def test_the_gradient_is_that_of_finite_differences(num_items):
    H, targets, offset = task(num_items)
    basis, rng = Basis.of(H), np.random.default_rng(1)
    weights, shape = rng.uniform(size=(num_items, 3)), (basis.items.shape[1], 3, 4)

    def flat(part):
        return lambda x: np.ravel(loss(x.reshape(shape), basis.items, targets, offset, weights, RIDGE)[part])

    point = rng.normal(size=shape).ravel()
    error = check_grad(lambda x: flat(0)(x).item(), flat(1), point)
    assert error < 1e-4 * np.linalg.norm(flat(1)(point))


def test_the_basis_has_the_kernel_of_the_features():
    for num_items in (5, 40):
        H, *_ = task(num_items)
        basis = Basis.of(H)
        np.testing.assert_allclose(basis.items @ basis.items.T, H @ H.T, atol=1e-10)
        np.testing.assert_allclose(basis.items.T @ basis.items, np.diag(basis.spectrum), atol=1e-10)


def test_several_fits_at_once_are_those_of_each_alone():
    H, targets, offset = task(20)
    basis, folds = Basis.of(H), np.arange(20) % 3
    weights = folds[:, None] != np.arange(3)
    together = fit(basis, targets, offset, ridge=RIDGE, weights=weights, tolerance=1e-12)
    for fold in range(3):
        kept = folds != fold
        alone = Basis.of(H[kept])
        coefficients = fit(alone, targets[kept], offset[kept], ridge=RIDGE, tolerance=1e-12)
        np.testing.assert_allclose(
            basis.items[kept] @ together[:, fold], alone.items @ coefficients[:, 0], atol=1e-3
        )
