"""The closed-form solution equals that of the model's solver, and needs bounded memory for many labels."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from metamapping.adaptation.algebra import fitting_subset
from metamapping.adaptation.algebra.closed_form import solve
from metamapping.adaptation.algebra.support import Examples, empty_support
from metamapping.models.encoder import NUM_VIEWS
from metamapping.models.mapping import MetaMapping
from metamapping.models.solvers import SOLVERS, SupportSet
from metamapping.models.solvers.word_ridge import fit_word_hyperparameters

DIM = 8
CLEAR_REFS = Path("/proc/self/clear_refs")


def task(num_labels, per_label, solver="ridge"):
    rng = np.random.default_rng(0)
    targets = np.tile(np.arange(num_labels), per_label)
    views = rng.normal(size=(len(targets), NUM_VIEWS, DIM)).astype(np.float32)
    features = (views / np.linalg.norm(views, axis=2, keepdims=True)).reshape(len(targets), -1)
    examples = Examples([""] * len(targets), [""] * len(targets), None)
    support = empty_support(DIM, NUM_VIEWS).plus(examples, features, np.arange(len(targets) + 1), targets)
    return MetaMapping(DIM, solver=solver), rng.normal(size=(num_labels, DIM)).astype(np.float32), support


@pytest.mark.parametrize("per_label", [1, 5], ids=["dual", "primal"])
@pytest.mark.parametrize("solver", SOLVERS)
def test_the_solution_equals_that_of_the_solver(solver, per_label):
    mapping, names, support = task(7, per_label, solver)
    count = len(support.targets)
    vectors = mapping.label_vectors(tf.constant(names), tf.zeros(7), tf.ones(7))
    items = SupportSet(
        tf.constant(support.features), tf.constant(support.targets), tf.ones(count), tf.ones(7)
    )
    expected = mapping.compute_mapping(items, mapping.prior(vectors))
    solved = solve(mapping, names, np.zeros(7, bool), support)
    np.testing.assert_allclose(solved.weights, expected, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("per_label", [1, 5], ids=["dual", "primal"])
def test_the_solution_for_words_equals_that_of_the_plain_solver(per_label):
    mapping, names, support = task(7, per_label, "plain-ridge")
    mapping.prior_bias.assign(np.linspace(-0.5, 0.5, DIM))
    support = replace(support, features=support.features[:, :DIM].copy(), num_views=1)
    is_outside, count = np.arange(7) == 0, len(support.targets)
    vectors = mapping.label_vectors(tf.constant(names), tf.constant(is_outside, tf.float32), tf.ones(7))
    items = SupportSet(
        tf.constant(support.features),
        tf.constant(support.targets),
        tf.ones(count),
        tf.ones(7),
        is_independent=False,
    )
    expected = mapping.compute_mapping(items, mapping.prior(vectors))
    solved = solve(mapping, names, is_outside, support)
    np.testing.assert_allclose(solved.weights, expected, rtol=1e-3, atol=1e-5)


def test_alpha_and_ridge_of_words_are_fitted_to_the_task():
    mapping, names, support = task(7, 5)
    support = replace(support, features=support.features[:, :DIM].copy(), num_views=1)
    solved = solve(mapping, names, np.arange(7) == 0, support)
    plain = solve(task(7, 5, "plain-ridge")[0], names, np.arange(7) == 0, support)
    alpha, ridge = fit_word_hyperparameters(
        support.features,
        support.targets,
        support.offsets,
        np.ones(len(support.targets)),  # every label has five words
        plain.prior / float(mapping.hyperparameters.alpha),
        alpha=float(mapping.hyperparameters.alpha),
        alpha_spread=float(mapping.hyperparameters.alpha_spread),
        ridge=float(mapping.hyperparameters.word_ridge),
        inverse_temperature=float(mapping.hyperparameters.inverse_temperature),
    )
    assert solved.ridge == pytest.approx(ridge)
    assert solved.ridge != pytest.approx(plain.ridge, rel=0.1)
    np.testing.assert_allclose(solved.prior, plain.prior * alpha / mapping.hyperparameters.alpha, rtol=1e-4)
    X, fit = support.features, solved.weights - solved.prior
    residual = np.eye(7)[support.targets] - 1 / 7 - (X @ solved.prior[:-1] + solved.prior[-1])
    np.testing.assert_allclose(
        (X.T @ X + ridge * np.eye(DIM)) @ fit[:-1], X.T @ residual, rtol=1e-3, atol=1e-4
    )


@pytest.mark.parametrize("per_label", [1, 5], ids=["dual", "primal"])
def test_prior_and_dual_weights_add_up_to_the_scores(per_label):
    mapping, names, support = task(7, per_label)
    solved = solve(mapping, names, np.zeros(7, bool), support)
    H = np.concatenate(
        [solved.weighted_features(support.features), np.ones((len(support.features), 1))], axis=1
    )
    for label in range(7):
        scores = support.features @ solved.prior[:-1, label] + solved.prior[-1, label]
        scores += H @ (H.T @ solved.dual_weights(support, label))
        np.testing.assert_allclose(scores, solved.scores(support.features)[:, label], atol=1e-4)


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="measured with Linux's /proc")
def test_thousands_of_labels_need_bounded_memory():
    # A one-hot matrix of all targets would have 600 MB, and several of them would be needed.
    mapping, names, support = task(5_000, 6)
    # Resets the peak to the present size, so that earlier tests do not hide this one's use.
    Path("/proc/self/clear_refs").write_text("5")
    before = peak_kilobytes()
    solved = solve(mapping, names, np.zeros(5_000, bool), support)
    assert solved.weights.shape == (NUM_VIEWS * DIM + 1, 5_000)
    assert peak_kilobytes() - before < 500_000


def peak_kilobytes():
    """Peak resident memory of this process since it was last reset."""
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"VmHWM:\s*(\d+) kB", status)[1])


def test_dual_weights_need_a_ridge_regression():
    mapping, names, support = task(7, 3, "prototypes")
    with pytest.raises(ValueError, match="only be weighed with the solvers `ridge` and `plain-ridge`"):
        solve(mapping, names, np.zeros(7, bool), support).dual_weights(support, 0)


def test_of_many_labels_an_even_selection_is_fitted_to_with_all_their_examples(monkeypatch):
    monkeypatch.setattr(fitting_subset, "_MAX_FITTING_LABELS", 4)
    subset, labels = fitting_subset.fitting_subset(task(9, 3)[2], 9)
    assert len(labels) == 4
    np.testing.assert_array_equal(np.bincount(subset.targets), [3, 3, 3, 3])
