"""The mixture of both regressions: shares that add up, honest left-out scores, no order, bounded size."""

import os
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import replace

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from metamapping.adaptation.algebra import mixture
from metamapping.adaptation.algebra.blas_threads import one_blas_thread
from metamapping.adaptation.algebra.calibration import calibrate
from metamapping.adaptation.algebra.closed_form import solve
from metamapping.adaptation.algebra.folds import folds_of
from metamapping.adaptation.algebra.likelihood import log_likelihood
from metamapping.adaptation.algebra.mixture import mix
from metamapping.adaptation.algebra.solution import Solution
from metamapping.adaptation.algebra.support import text_support
from metamapping.models.encoder import NUM_VIEWS
from metamapping.models.mapping import MetaMapping

DIM, TAU = 16, 10.0


def unit(x):
    return (x / np.linalg.norm(x, axis=-1, keepdims=True)).astype(np.float32)


def sample(num_labels, per_label, noise=0.2, seed=0):
    """Views scattered around the centres of their labels, label slots, and names near the centres."""
    rng = np.random.default_rng(seed)
    centres = unit(rng.normal(size=(num_labels, DIM)))
    targets = np.repeat(np.arange(num_labels), per_label)
    views = centres[targets, None] + noise * rng.normal(size=(len(targets), NUM_VIEWS, DIM))
    names = unit(centres + noise * rng.normal(size=centres.shape))
    return text_support(unit(views).reshape(len(targets), -1), targets, NUM_VIEWS), names


def mixed(support, names):
    solution = solve(MetaMapping(DIM), names, np.zeros(len(names), bool), support)
    return mix(solution, support, inverse_temperature=TAU)


@pytest.mark.parametrize(("num_labels", "per_label"), [(2, 1), (3, 4), (12, 9)])
def test_prior_and_dual_weights_add_up_to_the_scores(num_labels, per_label):
    support, names = sample(num_labels, per_label)
    solution = mixed(support, names)
    assert solution.logistic.share > 0
    weighted = solution.weighted_features(support.features)
    kernel = weighted @ weighted.T + 1.0
    for label in range(num_labels):
        scores = support.features @ solution.scoring_prior[:-1, label] + solution.scoring_prior[-1, label]
        scores += kernel @ solution.dual_weights(support, label)
        np.testing.assert_allclose(scores, solution.scores(support.features)[:, label], atol=3e-4)


def test_left_out_scores_are_those_of_mappings_without_the_fold():
    support, names = sample(4, 3, noise=0.4)
    solution = mixed(support, names)
    part, folds = solution.logistic, folds_of(support.features, support.targets)
    assert sorted(solution.left_out.rows) == list(range(12))
    for fold in range(3):
        kept, left = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
        others = text_support(support.features[kept], support.targets[kept], NUM_VIEWS)
        # The regressions of the others, with the hyperparameters of the whole task.
        H = np.concatenate(
            [solution.weighted_features(others.features), np.ones((len(kept), 1), np.float32)], axis=1
        )
        prior_scores = others.features @ solution.prior[:-1] + solution.prior[-1]
        dual = np.linalg.solve(
            H @ H.T + solution.ridge * np.eye(len(kept)), np.eye(4)[others.targets] - 0.25 - prior_scores
        )
        roots = np.append(np.repeat(np.sqrt([1.0, *solution.views]), DIM), 1.0)
        ridge = replace(solution, weights=solution.prior + roots[:, None] * (H.T @ dual), logistic=None)
        again = mix(ridge, others, inverse_temperature=TAU).logistic
        queries = support.features[left]
        expected = part.ridge_share * ridge.scores(queries)
        expected += part.share / TAU * (queries @ again.weights[:-1] + again.weights[-1])
        np.testing.assert_allclose(solution.left_out.scores[left], expected, atol=0.01)


def test_neither_the_order_of_examples_nor_that_of_labels_matters():
    support, names = sample(6, 4, noise=0.5)
    scores, rng = mixed(support, names).scores(support.features), np.random.default_rng(1)
    order, labels = rng.permutation(24), rng.permutation(6)
    shuffled = text_support(support.features[order], np.argsort(labels)[support.targets[order]], NUM_VIEWS)
    np.testing.assert_allclose(
        mixed(shuffled, names[labels]).scores(support.features), scores[:, labels], atol=0.005
    )


def test_the_mixture_predicts_new_texts_as_well_as_the_better_of_both():
    means = {"mixture": [], "ridge": [], "logistic": []}
    for num_labels, seed in [(2, 1), (3, 2), (15, 3), (30, 4)]:
        support, names = sample(num_labels, 40, noise=0.45, seed=seed)
        is_example = np.arange(len(support.targets)) % 40 < 6
        examples = text_support(support.features[is_example], support.targets[is_example], NUM_VIEWS)
        solution = mixed(examples, names)
        calibration = calibrate(solution, examples, learned_scale=TAU)
        queries, targets = support.features[~is_example], support.targets[~is_example]
        ridge = replace(solution, logistic=None, left_out=None)
        logits = {
            "mixture": calibration.scale * solution.scores(queries),
            "ridge": calibrate(ridge, examples, learned_scale=TAU).scale * ridge.scores(queries),
            "logistic": queries @ solution.logistic.weights[:-1] + solution.logistic.weights[-1],
        }
        for name, each in logits.items():
            means[name].append(log_likelihood(each, targets).mean())
    mixture_mean = np.mean(means["mixture"])
    assert mixture_mean > max(np.mean(means["ridge"]), np.mean(means["logistic"])) - 0.02


def test_a_label_with_one_example_is_no_evidence_and_its_examples_still_count():
    support, names = sample(3, 3)
    kept = np.asarray([0, 1, 2, 3, 4, 5, 6])
    solution = mixed(text_support(support.features[kept], support.targets[kept], NUM_VIEWS), names)
    assert (solution.scores(support.features).argmax(axis=1) == support.targets).all()
    assert len(solution.left_out.rows) == 7


def test_with_one_example_a_label_the_weight_depends_on_the_number_of_labels_alone():
    for num_labels in (2, 20):
        part = mixed(*sample(num_labels, 1)).logistic
        assert part.share == pytest.approx(num_labels / (num_labels + 5))
        assert part.share + part.ridge_share == pytest.approx(1)


def test_copies_of_a_text_are_left_out_together():
    features = np.asarray([[0.3], [0.1], [0.3], [0.2], [0.1]], np.float32)
    assert folds_of(features, np.asarray([0, 0, 0, 1, 1])).tolist() == [1, 0, 1, 1, 0]


def test_a_task_that_is_too_large_keeps_its_ridge_regression():
    zeros = np.zeros((NUM_VIEWS * DIM + 1, 100_000), np.float32)
    support = text_support(np.ones((1_000, NUM_VIEWS * DIM), np.float32), np.arange(1_000), NUM_VIEWS)
    solution = Solution(zeros, zeros, 1.0, (0.5,) * (NUM_VIEWS - 1))
    assert mix(solution, support, inverse_temperature=TAU) is solution


def test_of_many_examples_some_folds_are_left_out(monkeypatch):
    monkeypatch.setattr(mixture, "MAX_LEFT_OUT_SCORES", 5 * 60 * 2)
    support, names = sample(5, 12)
    solution = mixed(support, names)
    assert len(solution.left_out.rows) == 20  # folds 0 and 1 of ten, each with two examples of a label
    assert solution.left_out.scores.shape == (20, 5)


def test_a_blas_that_scipy_brings_has_one_thread_as_well():
    program = """
from threadpoolctl import threadpool_info
from metamapping.adaptation.algebra.blas_threads import one_blas_thread
with one_blas_thread():
    import scipy.optimize
    print({each["num_threads"] for each in threadpool_info() if each["user_api"] == "blas"})
"""
    environment = os.environ | {"OPENBLAS_NUM_THREADS": "2"}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment)
    assert done.stdout.strip() == "{1}"


def test_blas_has_one_thread_until_the_last_of_several_blocks_ends():
    def num_threads():
        return {each["num_threads"] for each in threadpool_info() if each["user_api"] == "blas"}

    with threadpool_limits(limits=2, user_api="blas"):
        before = num_threads()
        with ExitStack() as first, ExitStack() as second:
            first.enter_context(one_blas_thread())
            second.enter_context(one_blas_thread())
            first.close()
            assert num_threads() == {1}
        assert num_threads() == before
