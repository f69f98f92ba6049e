"""Suspicious labels: planted errors are found, the share of errors is estimated, and probabilities hold."""

import numpy as np
import pytest

from metamapping.adaptation.calibration import calibrate
from metamapping.adaptation.label_noise import fit_noise, suspicious_labels
from metamapping.adaptation.solution import Solution
from metamapping.adaptation.state import TaskState
from metamapping.adaptation.support import Examples, empty_support

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


@pytest.mark.parametrize("rate", [0.05, 0.2])
def test_planted_errors_come_first_with_the_true_label_suggested(rate):
    state, true, is_replaced = noisy_state(rate)
    count = int(is_replaced.sum())
    suspicious = suspicious_labels(state, num=count)
    found = [each.index for each in suspicious]
    assert is_replaced[found].mean() > 0.85
    hits = [each for each in suspicious if is_replaced[each.index]]
    right = [each.suggested == state.labels[true[each.index]] for each in hits]
    assert np.mean(right) > 0.9
    assert suspicious.noise == pytest.approx(rate, abs=0.03)
    probabilities = [each.probability for each in suspicious]
    assert probabilities == sorted(probabilities, reverse=True)


def test_among_correct_labels_nearly_nothing_is_suspicious():
    state, *_ = noisy_state(0.0, spread=0.1)
    suspicious = suspicious_labels(state)
    assert len(suspicious) <= 2
    assert suspicious.noise < 0.02


def test_probabilities_are_the_shares_of_wrong_labels():
    drawn = [noisy_state(0.2, spread=0.35, seed=seed) for seed in range(5)]
    probability, is_wrong = [], []
    for state, _, is_replaced in drawn:
        for each in suspicious_labels(state, num=400):
            probability.append(each.probability)
            is_wrong.append(is_replaced[each.index])
    probability, is_wrong = np.array(probability), np.array(is_wrong)
    for low, high in [(0.0, 0.2), (0.2, 0.8), (0.8, 1.0)]:
        inside = (probability >= low) & (probability <= high)
        assert probability[inside].mean() == pytest.approx(is_wrong[inside].mean(), abs=0.1)


def test_neighbours_are_the_nearest_other_examples():
    state, *_ = noisy_state(0.1)
    view = state.support.features
    for each in suspicious_labels(state, num=5):
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
        suspicious_labels(state, num=0)
    with pytest.raises(ValueError, match="min_probability is 2"):
        suspicious_labels(state, min_probability=2)
    assert len(suspicious_labels(state, min_probability=0.0)) == 20
    assert "20 suspicious labels of 20" in repr(suspicious_labels(state, min_probability=0.0))
