"""Every solver against a closed form, brute force or its own definition."""

from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf

from metamapping.models.solvers import SOLVERS, Hyperparameters, SupportSet
from metamapping.models.solvers.fitted_ridge import (
    INVERSE_TEMPERATURE_FACTORS,
    TEXT_RIDGE_FACTORS,
    fit_hyperparameters,
    leave_one_of_each_out,
)
from metamapping.models.solvers.gradient import NUM_STEPS
from metamapping.models.solvers.hyperparameters import ALPHA_GRID
from metamapping.models.solvers.support_set import score

D, C = 5, 3
LABELS = np.array([0, 1, 2, 0, 1, 2, 0, 0])
HYPERPARAMETERS = {
    "alpha": 0.5,
    "ridge": 0.7,
    "inverse_temperature": 3.0,
    "alpha_spread": 0.5,
    "ridge_spread": 1.1,
    "word_ridge": 2.0,
    "views": [],
}


def hyperparameters(**changes):
    values = HYPERPARAMETERS | changes
    return Hyperparameters(**{name: tf.constant(value, tf.float64) for name, value in values.items()})


class Task:
    """Eight items of three labels, as float64 arrays; ``solve`` runs a solver on them."""

    def __init__(self, count=8, seed=0):
        rng = np.random.default_rng(seed)
        self.x = rng.normal(size=(8, D))[:count]
        self.labels = LABELS[:count].copy()
        self.prior = rng.normal(size=(D + 1, C))

    def support(self, mask=None, label_mask=(1.0, 1.0, 1.0)):
        mask = np.ones(len(self.x)) if mask is None else np.asarray(mask, float)
        return SupportSet(
            tf.constant(self.x),
            tf.constant(self.labels, tf.int32),
            tf.constant(mask),
            tf.constant(label_mask, tf.float64),
        )

    def solve(self, solver, mask=None, **changes):
        weights = SOLVERS[solver](self.support(mask), tf.constant(self.prior), hyperparameters(**changes))
        return weights.numpy()

    @property
    def H(self):
        return np.concatenate([self.x, np.ones((len(self.x), 1))], axis=1)

    @property
    def Y(self):
        return np.eye(C)[self.labels] - 1 / C


def normal_equations(task, rows=slice(None), *, alpha=0.5, ridge=0.7):
    H, P = task.H[rows], alpha * task.prior
    return P + np.linalg.solve(H.T @ H + ridge * np.eye(D + 1), H.T @ (task.Y[rows] - H @ P))


@pytest.fixture(params=[4, 8], ids=["dual", "primal"])
def task(request):
    return Task(request.param)


def test_plain_ridge_solves_the_normal_equations(task):
    np.testing.assert_allclose(task.solve("plain-ridge"), normal_equations(task), atol=1e-10)


@pytest.mark.parametrize("solver", ["ridge", "plain-ridge"])
def test_words_are_weighted_by_the_fourth_root_of_their_labels_count(solver, task):
    mask = np.array([1.0, 1, 1, 1, 0, 1, 1, 1])[: len(task.x)]
    words = replace(task.support(mask), is_independent=False)
    weights = SOLVERS[solver](words, tf.constant(task.prior), hyperparameters()).numpy()

    rows = np.flatnonzero(mask)
    counts = np.bincount(task.labels[rows], minlength=C)
    w = counts[task.labels[rows]] ** -0.25
    w = np.diag(w * len(rows) / w.sum())
    H, P = task.H[rows], 0.5 * task.prior
    residual = task.Y[rows] - H @ P
    B = H * ([1.0] * D + [0.0])  # the bias stays that of the prior
    expected = P + np.linalg.solve(B.T @ w @ B + 2.0 * np.eye(D + 1), B.T @ w @ residual)
    np.testing.assert_allclose(weights, expected, atol=1e-9)


def folds_of(task):
    """The fold of each item: its rank among the items of its label by the first feature."""
    same = task.labels[:, None] == task.labels
    return (same & (task.x[:, 0] < task.x[:, :1])).sum(axis=1)


def test_left_out_items_are_scored_by_the_mapping_of_the_other_folds(task):
    scores = leave_one_of_each_out(task.support(), tf.constant(task.prior), hyperparameters()).numpy()
    fold = folds_of(task)
    assert max(np.bincount(fold)) > 1
    for r, factor in enumerate(TEXT_RIDGE_FACTORS):
        for a, alpha in enumerate(ALPHA_GRID):
            for i in range(len(task.x)):
                others = np.flatnonzero(fold != fold[i])
                weights = normal_equations(task, others, alpha=alpha, ridge=0.7 * factor)
                np.testing.assert_allclose(scores[0, r, a, i], task.H[i] @ weights, atol=1e-8)


def test_masked_items_do_not_change_the_scores_of_left_out_items(task):
    mask = np.ones(len(task.x))
    mask[[0, -1]] = 0
    kept = np.flatnonzero(mask)
    prior = tf.constant(task.prior)
    masked = leave_one_of_each_out(task.support(mask), prior, hyperparameters()).numpy()
    task.x, task.labels = task.x[kept], task.labels[kept]
    alone = leave_one_of_each_out(task.support(), prior, hyperparameters()).numpy()
    np.testing.assert_allclose(masked[..., kept, :], alone, atol=1e-8)


def test_with_two_examples_a_label_each_is_predicted_from_the_other():
    """If only its own label lacked an example, nearly any of the other 29 would have a higher score."""
    rng = np.random.default_rng(0)
    labels = np.tile(np.arange(30), 2)
    x = np.tile(rng.normal(size=(30, 20)), (2, 1)) + 0.6 * rng.normal(size=(60, 20))
    ones = tf.ones(60, tf.float64), tf.ones(30, tf.float64)
    support = SupportSet(tf.constant(x), tf.constant(labels, tf.int32), *ones)
    prior = tf.zeros((21, 30), tf.float64)
    scores = leave_one_of_each_out(support, prior, hyperparameters(ridge=9.0)).numpy()[0, :, 0]
    is_right = scores.argmax(axis=-1) == labels
    assert np.all(is_right.mean(axis=-1) > 0.6)  # each λ


def expected_posterior(scores, labels, *, exponent=1.0):
    """The posterior weights of the grid ``(R, A)``, written out, from left-out scores ``(R, A, N, C)``."""
    is_alone = np.bincount(labels)[labels] == 1
    weights = np.zeros((len(TEXT_RIDGE_FACTORS), len(ALPHA_GRID)))
    for r, factor in enumerate(TEXT_RIDGE_FACTORS):
        for a, alpha in enumerate(ALPHA_GRID):
            for temperature_factor in INVERSE_TEMPERATURE_FACTORS:
                logits = 3.0 * temperature_factor * scores[r, a]
                chosen = logits[np.arange(len(labels)), labels]
                likelihood = np.sum((chosen - np.log(np.exp(logits).sum(axis=1)))[~is_alone])
                weights[r, a] += np.exp(exponent * likelihood)
            weights[r, a] *= np.exp(-((np.log(factor) / 1.1) ** 2) / 2 - ((alpha - 0.5) / 0.5) ** 2 / 2)
    return weights / weights.sum()


def test_fitted_ridge_is_the_plain_one_at_the_grids_posterior_mean(task):
    scores = leave_one_of_each_out(task.support(), tf.constant(task.prior), hyperparameters()).numpy()[0]
    weights = expected_posterior(scores, task.labels)
    alpha = weights.sum(axis=0) @ ALPHA_GRID
    ridge = 0.7 * np.exp(weights.sum(axis=1) @ np.log(TEXT_RIDGE_FACTORS))
    np.testing.assert_allclose(
        task.solve("ridge"), normal_equations(task, alpha=alpha, ridge=ridge), atol=1e-8
    )


def test_ten_labels_are_as_much_evidence_as_five():
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(10), 2)
    x, prior = rng.normal(size=(20, D)), tf.constant(rng.normal(size=(D + 1, 10)))
    ones = tf.ones(20, tf.float64), tf.ones(10, tf.float64)
    support = SupportSet(tf.constant(x), tf.constant(labels, tf.int32), *ones)

    scores = leave_one_of_each_out(support, prior, hyperparameters()).numpy()[0]
    weights = expected_posterior(scores, labels, exponent=0.5)
    fitted = fit_hyperparameters(support, prior, hyperparameters())
    np.testing.assert_allclose(np.squeeze(fitted.alpha), weights.sum(axis=0) @ ALPHA_GRID)
    ridge = 0.7 * np.exp(weights.sum(axis=1) @ np.log(TEXT_RIDGE_FACTORS))
    np.testing.assert_allclose(np.squeeze(fitted.ridge), ridge)


def test_fitted_ridge_without_spread_is_nearly_the_plain_one(task):
    narrow = {"alpha_spread": 1e-3, "ridge_spread": 1e-3}
    np.testing.assert_allclose(task.solve("ridge", **narrow), normal_equations(task), atol=1e-6)


def test_a_misleading_prior_gets_less_weight():
    """The wrong prior puts each label where the next one is; the items lie where their labels are."""
    rng = np.random.default_rng(0)
    task = Task()
    task.labels = np.repeat([0, 1, 2], 3)
    task.x = np.eye(D)[task.labels] + 0.5 * rng.normal(size=(9, D))
    right = np.zeros((D + 1, C))
    right[:C] = np.eye(C)
    weights = {}
    for name, prior in (("right", right), ("wrong", np.roll(right, 1, axis=1))):
        fitted = fit_hyperparameters(
            task.support(), tf.constant(prior), hyperparameters(inverse_temperature=10.0)
        )
        weights[name] = fitted.alpha.numpy().item()
    assert weights["wrong"] < 0.2
    assert weights["right"] > 0.5


def test_with_one_example_a_label_nothing_is_fitted():
    """A label's only example could be predicted from its name alone, which is no evidence about examples."""
    task = Task()
    task.labels, task.x = np.arange(C), np.random.default_rng(2).normal(size=(C, D))
    np.testing.assert_allclose(task.solve("ridge"), task.solve("plain-ridge"), atol=1e-8)


def with_two_more_views(task, seed=3):
    """The task's support with two more views, and the features of those."""
    others = np.random.default_rng(seed).normal(size=(2, len(task.x), D))
    support = replace(task.support(), features=tf.constant(np.concatenate([task.x, *others], axis=1)))
    return support, others


@pytest.mark.parametrize("views", [(0.0, 0.0), (1.0, 0.0), (0.3, 0.7)])
def test_view_weights_are_weights_in_the_kernel(views, task):
    support, others = with_two_more_views(task)
    weights = SOLVERS["plain-ridge"](support, tf.constant(task.prior), hyperparameters(views=views)).numpy()
    H, P = task.H, 0.5 * task.prior
    kernel = H @ H.T + sum(w * x @ x.T for w, x in zip(views, others, strict=True))
    dual = np.linalg.solve(kernel + 0.7 * np.eye(len(H)), task.Y - H @ P)
    scores = score(support.features, tf.constant(weights)).numpy()
    np.testing.assert_allclose(scores, H @ P + kernel @ dual, atol=1e-4)


def test_items_are_left_out_under_each_subset_of_views(task):
    support, others = with_two_more_views(task)
    fold = folds_of(task)
    scores = leave_one_of_each_out(
        support, tf.constant(task.prior), hyperparameters(views=[0.5, 0.5])
    ).numpy()
    for subset, views in enumerate([(0, 0), (0, 1), (1, 0), (1, 1)]):
        kernel = task.H @ task.H.T + sum(w * x @ x.T for w, x in zip(views, others, strict=True))
        for i in range(len(task.x)):
            rest = np.flatnonzero(fold != fold[i])
            within = kernel[np.ix_(rest, rest)] + 0.7 * np.eye(len(rest))  # the third λ
            residual = task.Y[rest] - 1.5 * task.H[rest] @ task.prior  # the fifth α
            expected = 1.5 * task.H[i] @ task.prior + kernel[i, rest] @ np.linalg.solve(within, residual)
            np.testing.assert_allclose(scores[subset, 2, 4, i], expected, atol=1e-8)


def test_an_informative_view_gets_a_high_weight():
    """The third view is the label; the other two are noise."""
    task = Task()
    task.labels = np.repeat([0, 1, 2], 5)
    task.x = np.random.default_rng(4).normal(size=(15, D))
    support, _ = with_two_more_views(task)
    features = np.concatenate([support.features[:, : 2 * D], 2 * np.eye(D)[task.labels]], axis=1)
    learned = hyperparameters(views=[0.2, 0.2], inverse_temperature=10.0)
    fitted = fit_hyperparameters(
        replace(support, features=tf.constant(features)), tf.constant(0 * task.prior), learned
    )
    first, second = fitted.views.numpy().ravel()
    assert second > 0.9
    assert first < 0.5


def test_prototypes_predict_the_nearest_mean(task):
    queries = np.random.default_rng(1).normal(size=(50, D))
    means = np.stack([task.x[task.labels == c].mean(axis=0) for c in range(C)])
    nearest = ((queries[:, None] - means) ** 2).sum(axis=-1).argmin(axis=-1)
    weights = tf.constant(task.solve("prototypes", alpha=0.0))
    np.testing.assert_array_equal(score(tf.constant(queries), weights).numpy().argmax(axis=-1), nearest)


def test_among_prototypes_a_label_without_examples_has_its_prior_alone():
    task = Task(2)  # labels 0 and 1
    np.testing.assert_allclose(task.solve("prototypes")[:, 2], 0.5 * task.prior[:, 2])


def test_gradient_steps_are_those_of_the_cross_entropy(task):
    weights, squares = tf.Variable(task.prior), (task.H**2).sum() / 2
    for _ in range(NUM_STEPS):
        with tf.GradientTape() as tape:
            logits = 3.0 * tf.matmul(tf.constant(task.H), weights)
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(task.labels, logits)
            loss = tf.reduce_sum(losses)
        # The loss's gradient has the factor τ, which the solver's step size does not.
        weights.assign_sub(2.0 / (0.7 + 3.0 * squares) / 3.0 * tape.gradient(loss, weights))
    np.testing.assert_allclose(task.solve("gradient"), weights.numpy(), atol=1e-10)


@pytest.mark.parametrize("solver", SOLVERS)
class TestEverySolver:
    def test_a_view_of_zero_weight_changes_nothing(self, solver, task):
        support, _ = with_two_more_views(task)
        learned = hyperparameters(views=[1e-9, 1e-9])
        weights = SOLVERS[solver](support, tf.constant(task.prior), learned)
        expected = score(tf.constant(task.x), tf.constant(task.solve(solver)))
        np.testing.assert_allclose(score(support.features, weights), expected, atol=1e-3)

    def test_items_outside_the_support_change_nothing(self, solver, task):
        mask = np.array([1.0, 1, 1, 0, 1, 0, 0, 1])[: len(task.x)]
        few = Task()
        few.prior = task.prior
        few.x, few.labels = task.x[mask > 0], task.labels[mask > 0]
        np.testing.assert_allclose(task.solve(solver, mask), few.solve(solver), atol=1e-9)

    def test_without_support_the_mapping_is_the_prior_at_full_weight(self, solver, task):
        weights = task.solve(solver, np.zeros(len(task.x)), alpha=0.1)
        np.testing.assert_allclose(weights, task.prior, atol=1e-12)

    def test_the_order_of_examples_does_not_matter(self, solver, task):
        expected, order = task.solve(solver), np.random.default_rng(1).permutation(len(task.x))
        task.x, task.labels = task.x[order], task.labels[order]
        np.testing.assert_allclose(task.solve(solver), expected, atol=1e-9)

    def test_the_order_of_labels_permutes_the_columns(self, solver, task):
        expected, order = task.solve(solver), np.array([2, 0, 1])
        task.prior, task.labels = task.prior[:, order], np.argsort(order)[task.labels]
        np.testing.assert_allclose(task.solve(solver), expected[:, order], atol=1e-9)

    def test_splits_of_one_batch_are_independent(self, solver, task):
        masks = np.array([[1.0, 1, 1, 0, 0, 0, 0, 1], [0, 0, 0, 1, 1, 1, 1, 1], [0] * 8])[:, : len(task.x)]
        support = task.support(masks, np.ones((3, C)))
        together = SOLVERS[solver](support, tf.constant(task.prior), hyperparameters()).numpy()
        for split, mask in enumerate(masks):
            np.testing.assert_allclose(together[split], task.solve(solver, mask), atol=1e-9)

    def test_a_label_outside_of_the_task_changes_nothing(self, solver):
        """Its prior is zero, as label vectors are where the mask is."""
        task = Task(5)
        task.labels = np.array([0, 1, 0, 1, 0])
        task.prior[:, 2] = 0
        masked = SOLVERS[solver](
            task.support(label_mask=(1.0, 1.0, 0.0)), tf.constant(task.prior), hyperparameters()
        )
        two = SupportSet(
            tf.constant(task.x),
            tf.constant(task.labels, tf.int32),
            tf.ones(5, tf.float64),
            tf.ones(2, tf.float64),
        )
        expected = SOLVERS[solver](two, tf.constant(task.prior[:, :2]), hyperparameters())
        np.testing.assert_allclose(masked[:, :2], expected, atol=1e-9)

    def test_identical_texts_with_different_labels_give_finite_equal_scores(self, solver, task):
        task.x = np.repeat(task.x[:1], len(task.x), axis=0)
        scores = score(tf.constant(task.x), tf.constant(task.solve(solver, ridge=1e-3))).numpy()
        assert np.isfinite(scores).all()
        np.testing.assert_allclose(scores, np.repeat(scores[:1], len(scores), axis=0))

    @pytest.mark.parametrize("has_views", [False, True])
    def test_the_outer_gradient_matches_finite_differences(self, solver, has_views, task):
        mask = np.array([1.0, 1, 0, 1, 0, 1, 1, 0])[: len(task.x)]
        learned = hyperparameters(views=[0.3, 0.6] if has_views else [])
        items = with_two_more_views(task)[0].features if has_views else tf.constant(task.x)

        @tf.function(autograph=False)  # it is called hundreds of times
        def loss(alpha, ridge, prior, features):
            support = task.support(mask)
            support = SupportSet(features, support.targets, support.mask, support.label_mask)
            changed = replace(learned, alpha=alpha, ridge=ridge)
            return tf.reduce_sum(score(features, SOLVERS[solver](support, prior, changed)) ** 3)

        values = [learned.alpha, learned.ridge, tf.constant(task.prior), items]
        theoretical, numerical = tf.test.compute_gradient(loss, values, delta=1e-5)
        for exact, finite in zip(theoretical, numerical, strict=True):
            np.testing.assert_allclose(exact, finite, rtol=1e-5, atol=1e-5 * np.abs(numerical[-1]).max())
