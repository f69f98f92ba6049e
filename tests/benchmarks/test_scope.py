"""Scores in and out of scope, and the choice of the threshold."""

import numpy as np
import pytest

from benchmarks.scope import (
    balanced_f1_out_of_scope,
    best_threshold,
    f1_out_of_scope,
    joint_accuracy,
    scope_scores,
)

CONFIDENCE = np.array([0.9, 0.8, 0.4, 0.7, 0.3, 0.2])
IS_RIGHT = np.array([True, True, True, False, False, False])
IN_SCOPE = np.array([True, True, True, True, False, False])
TEXTS = (CONFIDENCE, IS_RIGHT, IN_SCOPE)


def test_without_a_threshold_nothing_is_rejected():
    assert scope_scores(*TEXTS, threshold=0.0) == (0.75, 0.0, 0.0)


def test_a_rejected_text_in_scope_is_an_error():
    scores = scope_scores(*TEXTS, threshold=0.5)
    assert (scores.accuracy, scores.recall) == (0.5, 1.0)
    assert scores.f1 == pytest.approx(2 * 2 / (3 + 2))


def test_the_best_threshold_rejects_exactly_what_is_out_of_scope():
    for measure in (joint_accuracy, f1_out_of_scope):
        assert best_threshold(*TEXTS, measure=measure) == 0.4


def test_joint_accuracy_counts_right_labels_and_right_rejections():
    assert joint_accuracy(CONFIDENCE < 0.4, IS_RIGHT, IN_SCOPE) == pytest.approx(5 / 6)


def test_the_balanced_f1_does_not_depend_on_how_many_texts_are_out_of_scope():
    repeated = np.r_[CONFIDENCE, np.repeat(CONFIDENCE[4:], 9)], np.r_[IN_SCOPE, np.zeros(18, bool)]
    few = balanced_f1_out_of_scope(CONFIDENCE < 0.5, IS_RIGHT, IN_SCOPE)
    many = balanced_f1_out_of_scope(repeated[0] < 0.5, IS_RIGHT, repeated[1])
    assert few == pytest.approx(many) == pytest.approx(2 * 1 / (1 + 1 / 4 + 1))
