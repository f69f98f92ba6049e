"""Suspicious labels: planted errors are found, the share of errors is estimated, and probabilities hold."""

from dataclasses import replace

import numpy as np
import pytest

from metamapping.adaptation.algebra.calibration import calibrate
from metamapping.adaptation.algebra.solution import Solution
from metamapping.adaptation.algebra.support import Examples, empty_support
from metamapping.adaptation.label_checks import label_similarity
from metamapping.adaptation.label_checks.label_checks import check_labels
from metamapping.adaptation.label_checks.label_noise import NoiseModel, fit_noise, rank, usual_confidence
from metamapping.adaptation.label_checks.label_similarity import RIDGE as SIMILARITY_RIDGE
from metamapping.adaptation.label_checks.label_similarity import STEEPNESS, similarity_scores
from metamapping.adaptation.state import TaskState

DIM, LABELS, RIDGE = 20, 4, 1.0


def noisy_state(rate, num_examples=400, spread=0.22, seed=0):
    """A task of clusters with a share of replaced labels, the true slots and which were replaced."""
    rng = np.random.default_rng(seed)
    centres = np.linalg.qr(rng.normal(size=(DIM, DIM)))[0][:LABELS]
    true = np.arange(num_examples) % LABELS
    features = centres[true] + spread * rng.normal(size=(num_examples, DIM))
    features = (features / np.linalg.norm(features, axis=1, keepdims=True)).astype(np.float32)
    replaced = rng.permutation(num_examples)[: int(rate * num_examples)]
    given = true.copy()
    given[replaced] = (true[replaced] + rng.integers(1, LABELS, size=len(replaced))) % LABELS
    H = np.concatenate([features, np.ones((num_examples, 1))], axis=1)
    Y = np.eye(LABELS)[given] - 1 / LABELS
    weights = np.linalg.solve(H.T @ H + RIDGE * np.eye(DIM + 1), H.T @ Y)
    texts = [f"text {i}" for i in range(num_examples)]
    support = empty_support(DIM).plus(
        Examples(texts, list(given), None), features, np.arange(num_examples + 1), given
    )
    solution = Solution(weights, np.zeros_like(weights), RIDGE)
    state = TaskState(
        task_type="text-classification",
        labels=tuple("abcd"),
        names=tuple("abcd"),
        name_features=np.zeros((LABELS, DIM), np.float32),
        support=support,
        solution=solution,
        calibration=calibrate(solution, support, learned_scale=10.0),
    )
    return state, true, np.isin(np.arange(num_examples), replaced)


def brute_force(state, left_out):
    """The scores of the items of ``left_out`` by the regression of all other items, solved anew."""
    features = state.support.features.astype(np.float64)
    kernel = 1 + np.exp(STEEPNESS * (features @ features.T - 1))
    kept = np.setdiff1d(np.arange(len(features)), left_out)
    targets = np.eye(LABELS)[state.support.targets] - 1 / LABELS
    prior = features @ state.solution.prior[:-1] + state.solution.prior[-1]
    shifted = kernel[np.ix_(kept, kept)] + SIMILARITY_RIDGE * np.eye(len(kept))
    change = kernel[np.ix_(left_out, kept)] @ np.linalg.solve(shifted, (targets - prior)[kept])
    return prior[left_out] + change


@pytest.fixture(scope="module")
def named_state():
    """A task whose label names say something about the texts."""
    state, *_ = noisy_state(0.1, num_examples=40)
    prior = np.random.default_rng(1).normal(scale=0.3, size=state.solution.prior.shape)
    return replace(state, solution=replace(state.solution, prior=prior))


@pytest.mark.parametrize("num_groups", [None, 8, 2])
def test_every_text_is_scored_by_the_texts_of_other_groups(named_state, num_groups):
    groups = None if num_groups is None else np.arange(40) % num_groups
    scores = similarity_scores(named_state, groups=groups)
    for i in range(0, 40, 7):
        left_out = np.array([i]) if groups is None else np.flatnonzero(groups == groups[i])
        expected = brute_force(named_state, left_out)[np.flatnonzero(left_out == i)[0]]
        np.testing.assert_allclose(scores[i], expected, atol=1e-5)


def test_of_very_many_texts_the_kernel_is_that_of_a_selection(named_state, monkeypatch):
    exact = similarity_scores(named_state)
    monkeypatch.setattr(label_similarity, "MAX_EXACT", 10)
    monkeypatch.setattr(label_similarity, "_NUM_LANDMARKS", 38)
    approximate = similarity_scores(named_state)
    assert np.abs(exact - approximate).max() < 0.1
    assert np.corrcoef(exact.ravel(), approximate.ravel())[0, 1] > 0.98


@pytest.mark.parametrize("rate", [0.05, 0.2])
def test_planted_errors_come_first_with_the_true_label_suggested(rate):
    state, true, is_replaced = noisy_state(rate)
    count = int(is_replaced.sum())
    suspicious = check_labels(state, num=count)
    found = [each.index for each in suspicious]
    assert is_replaced[found].mean() > 0.85
    hits = [each for each in suspicious if is_replaced[each.index]]
    right = [each.suggested == state.labels[true[each.index]] for each in hits]
    assert np.mean(right) > 0.9
    assert suspicious.noise == pytest.approx(rate, abs=0.03)
    probabilities = [each.probability for each in suspicious]
    assert probabilities == sorted(probabilities, reverse=True)


def test_a_low_probability_says_less_about_a_label_that_is_seldom_predicted_surely():
    probabilities = np.array(
        [
            [0.96, 0.02, 0.02, 0.0],
            [0.94, 0.03, 0.03, 0.0],
            [0.05, 0.55, 0.40, 0.0],
            [0.05, 0.65, 0.30, 0.0],
            [0.39, 0.60, 0.01, 0.0],  # given as label 0, which is mostly sure
            [0.60, 0.38, 0.02, 0.0],  # given as label 1, which is not
        ]
    )
    scores, targets = np.log(probabilities + 1e-9), np.array([0, 0, 1, 1, 0, 1])
    model = NoiseModel(scale=1.0, noise=0.1)
    usual = usual_confidence(model, scores)
    # The last two labels are never predicted, and as usual as all others.
    mean = probabilities.max(axis=1).mean()
    assert usual == pytest.approx([(0.96 + 0.94 + 0.6) / 3, (0.55 + 0.65 + 0.6) / 3, mean, mean], abs=1e-6)
    assert rank(model, scores, targets)[0][:2].tolist() == [5, 4]
    assert rank(model, scores, targets, usual=usual)[0][:2].tolist() == [4, 5]


def test_among_correct_labels_nearly_nothing_is_suspicious():
    state, *_ = noisy_state(0.0, spread=0.1)
    suspicious = check_labels(state)
    assert len(suspicious) <= 2
    assert suspicious.noise < 0.02


def test_probabilities_are_the_shares_of_wrong_labels():
    drawn = [noisy_state(0.2, spread=0.35, seed=seed) for seed in range(5)]
    probability, is_wrong = [], []
    for state, _, is_replaced in drawn:
        for each in check_labels(state, num=400):
            probability.append(each.probability)
            is_wrong.append(is_replaced[each.index])
    probability, is_wrong = np.array(probability), np.array(is_wrong)
    for low, high in [(0.0, 0.2), (0.2, 0.8), (0.8, 1.0)]:
        inside = (probability >= low) & (probability <= high)
        assert probability[inside].mean() == pytest.approx(is_wrong[inside].mean(), abs=0.1)


def test_neighbours_are_the_nearest_other_examples():
    state, *_ = noisy_state(0.1)
    view = state.support.features
    for each in check_labels(state, num=5):
        similarity = view @ view[each.index]
        similarity[each.index] = -1
        expected = np.argsort(-similarity)[:3]
        assert [near.index for near in each.neighbours] == expected.tolist()
        assert each.neighbours[0].label == state.labels[state.support.targets[expected[0]]]


def test_the_posterior_follows_bayes_rule():
    scores = np.array([[0.9, 0.1, 0.0], [0.2, 0.3, 0.1]])
    model = fit_noise(np.tile(scores, (20, 1)), np.tile([0, 2], 20), scale=5.0)
    prior = np.exp(model.scale * scores) / np.exp(model.scale * scores).sum(axis=1, keepdims=True)
    likelihood = np.full((2, 3), model.noise / 2)
    likelihood[[0, 1], [0, 2]] = 1 - model.noise
    expected = prior * likelihood / (prior * likelihood).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(model.posterior(scores, np.array([0, 2])), expected, rtol=1e-9)


def test_limits_are_checked():
    state, *_ = noisy_state(0.1, num_examples=20)
    with pytest.raises(ValueError, match="num is 0"):
        check_labels(state, num=0)
    with pytest.raises(ValueError, match="min_probability is 2"):
        check_labels(state, min_probability=2)
    assert len(check_labels(state, min_probability=0.0)) == 20
    assert "20 suspicious labels of 20" in repr(check_labels(state, min_probability=0.0))
