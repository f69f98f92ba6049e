"""How the scores of labels become probabilities and decisions, where a text has any number of labels."""

import numpy as np
import pytest

from metamapping.adaptation.multi_label.label_decisions import LabelDecisions, decide
from metamapping.adaptation.multi_label.label_sigmoids import shared_log_likelihoods
from metamapping.models.probabilities import expit


def test_decisions_follow_the_left_out_scores_where_examples_are_many():
    rng = np.random.default_rng(0)
    scores = rng.normal(size=(4000, 2))
    logits = scores * [12.0, 8.0] + [-2.0, -6.0]
    targets = rng.random((4000, 2)) < expit(logits)
    decisions = decide(scores, targets.astype(np.int32), inverse_temperature=10.0)
    np.testing.assert_allclose(decisions.probabilities(scores), expit(logits), atol=0.05)


def test_a_label_of_one_example_gets_about_the_threshold_of_all():
    rng = np.random.default_rng(0)
    targets = np.zeros((200, 3), np.int32)
    targets[:80, 0], targets[60:140, 1], targets[0, 2] = 1, 1, 1
    scores = 0.5 * targets + 0.1 * rng.normal(size=targets.shape)
    decisions = decide(scores, targets, inverse_temperature=10.0)
    logits = np.log(decisions.thresholds / (1 - decisions.thresholds))
    in_scores = (logits - decisions.offsets) / decisions.slopes
    assert abs(in_scores[2] - in_scores[:2].mean()) < 0.1


def test_the_log_probability_of_a_text_is_the_sum_over_its_labels():
    targets = np.array([[1, 0], [0, 1], [1, 1], [0, 0]])
    log_p = shared_log_likelihoods(np.zeros((4, 2)), targets, inverse_temperature=10.0)
    np.testing.assert_allclose(log_p, 2 * np.log(0.5), atol=1e-3)


def test_decisions_of_new_labels_are_those_of_an_average_label():
    decisions = LabelDecisions(
        *(np.array(each, "f4") for each in ([8, 9, 12], [-1, -3, -2], [0.2, 0.3, 0.6]))
    )
    widened = decisions.widened(4)
    assert [float(each[3]) for each in vars(widened).values()] == pytest.approx([9, -2, 0.3])
    np.testing.assert_array_equal(decisions.widened(3).slopes, decisions.slopes)
