"""Calibration: closed-form leave-one-out equals refitting, and probabilities match frequencies."""

import numpy as np
import pytest

from metamapping.adaptation.algebra.calibration import calibrate, leave_out
from metamapping.adaptation.algebra.nearness import nearness
from metamapping.adaptation.algebra.solution import Solution
from metamapping.adaptation.algebra.support import Examples, empty_support

DIM, RIDGE, SCALE = 12, 0.7, 10.0


def unit(x):
    return (x / np.linalg.norm(x, axis=-1, keepdims=True)).astype(np.float32)


def sample(rng, centres, per_label, noise=0.25):
    """Features scattered around the centres of their labels, and their labels."""
    targets = np.repeat(np.arange(len(centres)), per_label)
    return unit(centres[targets] + noise * rng.normal(size=(len(targets), DIM))), targets


def support_of(features, targets):
    count = len(features)
    examples = Examples([""] * count, [""] * count, None)
    return empty_support(DIM).plus(examples, features, np.arange(count + 1), targets)


def ridge(features, targets, num_labels, prior):
    """Reference solution by the normal equations."""
    H = np.concatenate([features, np.ones((len(features), 1))], axis=1)
    Y = np.eye(num_labels)[targets] - 1 / num_labels
    return prior + np.linalg.solve(H.T @ H + RIDGE * np.eye(DIM + 1), H.T @ (Y - H @ prior))


def score(features, weights):
    return features @ weights[:-1] + weights[-1]


@pytest.fixture(params=[3, 30], ids=["few", "more than dimensions"])
def task(request):
    rng = np.random.default_rng(0)
    centres = unit(rng.normal(size=(4, DIM)))
    prior = np.concatenate([0.3 * (centres - centres.mean(axis=0)).T, np.zeros((1, 4))])
    features, targets = sample(rng, centres, request.param)
    weights = ridge(features, targets, 4, prior)
    return Solution(weights, prior, RIDGE), support_of(features, targets), centres, rng


def test_leaving_out_in_closed_form_equals_refitting_without(task):
    solution, support, _, _ = task
    scores, _, near_labels, near_none, *_ = leave_out(solution, support)
    assert len(scores) == len(near_labels) == len(near_none) == support.num_examples
    for item in range(support.num_examples):
        others = np.delete(np.arange(support.num_examples), item)
        without = ridge(support.features[others], support.targets[others], 4, solution.prior)
        np.testing.assert_allclose(scores[item], score(support.features[[item]], without)[0], atol=1e-5)
    expected = []
    for label in range(4):
        mine, others = (np.flatnonzero(support.targets == label), np.flatnonzero(support.targets != label))
        without = ridge(support.features[others], support.targets[others], 4, solution.prior)
        left = score(support.features[mine], without)
        left[:, label] = -np.inf
        expected += nearness(support.features[mine], left, support).tolist()
    np.testing.assert_allclose(np.sort(near_none), np.sort(expected), atol=1e-5)


def test_probabilities_match_the_accuracy():
    rng = np.random.default_rng(1)
    centres = unit(rng.normal(size=(20, DIM)))
    features, targets = sample(rng, centres, 30, noise=0.45)
    prior = np.zeros((DIM + 1, 20))
    solution = Solution(ridge(features, targets, 20, prior), prior, RIDGE)
    queries, truth = sample(rng, centres, 100, noise=0.45)
    scores = solution.scores(queries)
    calibration = calibrate(solution, support_of(features, targets), learned_scale=SCALE)
    highest = calibration.probabilities(scores).max(axis=-1)
    accuracy = (scores.argmax(axis=-1) == truth).mean()
    assert highest.mean() == pytest.approx(accuracy, abs=0.05)
    raw = np.exp(SCALE * scores) / np.exp(SCALE * scores).sum(axis=-1, keepdims=True)
    assert abs(raw.max(axis=-1).mean() - accuracy) > 0.1


def test_texts_of_no_label_are_distinguished_from_the_tasks_own(task):
    solution, support, centres, rng = task
    calibration = calibrate(solution, support, learned_scale=SCALE)
    own, _ = sample(rng, centres, 50)
    others, _ = sample(rng, unit(-centres.sum(axis=0, keepdims=True)), 200)

    def membership(features):
        return calibration.membership(nearness(features, solution.scores(features), support))

    assert (membership(own) > 0.5).mean() > 0.85
    assert (membership(others) < 0.5).mean() > 0.95


def test_with_one_example_per_label_the_scale_stays_near_the_learned_one():
    rng = np.random.default_rng(2)
    features, targets = sample(rng, unit(rng.normal(size=(2, DIM))), 1)
    prior = np.zeros((DIM + 1, 2))
    solution = Solution(ridge(features, targets, 2, prior), prior, RIDGE)
    calibration = calibrate(solution, support_of(features, targets), learned_scale=SCALE)
    # The likelihood alone would drive the scale towards zero: without its only example, each text is
    # assigned the other label.
    assert SCALE / 3 < calibration.scale < SCALE * 3
    assert calibration.slope > 0


def test_of_thousands_of_examples_an_even_selection_is_left_out(monkeypatch):
    monkeypatch.setattr("metamapping.adaptation.algebra.calibration._MAX_ROWS", 100)
    rng = np.random.default_rng(3)
    centres = unit(rng.normal(size=(5, DIM)))
    features, targets = sample(rng, centres, 200)
    prior = np.zeros((DIM + 1, 5))
    solution = Solution(ridge(features, targets, 5, prior), prior, RIDGE)
    support = support_of(features, targets)
    scores, rows, *_ = leave_out(solution, support)
    assert len(scores) == 100
    assert np.bincount(rows).tolist() == [20] * 5
    few = calibrate(solution, support, learned_scale=SCALE)
    monkeypatch.undo()
    every = calibrate(solution, support, learned_scale=SCALE)
    assert few.scale == pytest.approx(every.scale, rel=0.3)
    assert few.centre == pytest.approx(every.centre, abs=0.1)


def test_nearness_does_not_depend_on_the_chunk_size(task, monkeypatch):
    solution, support, centres, rng = task
    features, _ = sample(rng, centres, 5)
    whole = nearness(features, solution.scores(features), support)
    scores, items = solution.scores(support.features), np.arange(len(support.targets))
    own = nearness(support.features, scores, support, items=items)
    monkeypatch.setattr("metamapping.adaptation.algebra.nearness._EXAMPLES_PER_CHUNK", 2)
    np.testing.assert_allclose(nearness(features, solution.scores(features), support), whole, atol=1e-6)
    chunked = nearness(support.features, scores, support, items=items)
    np.testing.assert_allclose(chunked, own, atol=1e-6)


def test_an_example_is_compared_neither_with_itself_nor_with_a_mean_that_it_is_part_of(task):
    solution, support, _, _ = task
    item, scores = np.array([4]), solution.scores(support.features[[4]])
    label = scores[0].argmax()
    others = np.flatnonzero((support.targets == label) & (np.arange(len(support.targets)) != 4))
    examples, x = support.features[others], support.features[4]
    mean = examples.sum(axis=0)
    expected = scores[0, label] + (examples @ x).max() + x @ mean / np.linalg.norm(mean)
    near = nearness(support.features[[4]], scores, support, items=item)
    np.testing.assert_allclose(near, [expected], atol=1e-5)
    without = nearness(support.features[[4]], scores, support, items=item, by_mean=False)
    np.testing.assert_allclose(without, [scores[0, label] + (examples @ x).max()], atol=1e-5)


def test_texts_that_resemble_their_only_example_little_still_belong_to_a_task_of_such_texts():
    rng = np.random.default_rng(5)
    centres = unit(rng.normal(size=(11, 200)))
    targets = np.tile(np.arange(11), 31)
    features = unit(centres[targets] + 0.12 * rng.normal(size=(len(targets), 200)))
    prior = np.zeros((201, 10))
    support = empty_support(200).plus(
        Examples([""] * 10, [""] * 10, None), features[:10], np.arange(11), targets[:10]
    )
    H = np.concatenate([features[:10], np.ones((10, 1))], axis=1)
    solution = Solution(
        np.linalg.solve(H.T @ H + RIDGE * np.eye(201), H.T @ (np.eye(10) - 0.1)).astype(np.float32),
        prior,
        RIDGE,
    )
    calibration = calibrate(solution, support, learned_scale=SCALE)
    member = calibration.membership(nearness(features, solution.scores(features), support))
    is_inside = targets < 10
    assert (features[11:21] * features[:10]).sum(axis=-1).mean() < 0.3
    assert (member[11:][is_inside[11:]] > 0.5).mean() > 0.6
    assert (member[~is_inside] < 0.5).mean() > 0.6


def test_examples_of_a_single_label_give_a_finite_calibration():
    rng = np.random.default_rng(4)
    features, targets = sample(rng, unit(rng.normal(size=(1, DIM))), 3)
    prior = rng.normal(size=(DIM + 1, 2)) * 0.1
    solution = Solution(ridge(features, targets, 2, prior), prior, RIDGE)
    calibration = calibrate(solution, support_of(features, targets), learned_scale=SCALE)
    assert np.isfinite([calibration.scale, calibration.centre, calibration.slope]).all()
