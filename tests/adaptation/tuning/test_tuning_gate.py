"""The gate of tuning: what left-out examples show, and what is decided from that."""

from dataclasses import replace

import numpy as np
import pytest

from metamapping.adaptation.algebra.support import Examples
from metamapping.adaptation.state import empty_state
from metamapping.adaptation.state_changes import with_examples, with_features
from metamapping.adaptation.tuning import tuning_gate
from metamapping.adaptation.tuning.tuning_gains import LEAST_GAIN, PRIORS, WEIGHTS, Prior, expected_gain
from metamapping.adaptation.tuning.tuning_gate import Evidence, choose, judge, judged_folds, left_out_evidence
from tests.adaptation.tuning.toy_tuning import LABELS, TEXTS, ToySteps


def evidence_of(gains, *, skill=1.0, error=0.02, count=40):
    """Evidence with these mean gains of the shares, and about this standard error."""
    noise = np.random.default_rng(0).normal(size=count)
    noise = error * np.sqrt(count) * (noise - noise.mean()) / noise.std(ddof=1)
    before = np.full(count, -1.0)
    return Evidence(before, before + noise + np.array(gains)[:, None], chance=-1.0 - skill, shots=8.0)


def test_evidence_has_the_gain_the_error_and_the_skill():
    evidence = evidence_of([0.1, 0.3], skill=0.7, error=0.05)
    np.testing.assert_allclose(evidence.gains, [0.1, 0.3])
    np.testing.assert_allclose(evidence.errors, 0.05)
    assert evidence.skill == pytest.approx(0.7)


@pytest.mark.parametrize(("gains", "weight"), [([0.2, 0.5], 1.0), ([0.5, 0.2], 0.5), ([-0.4, -0.6], 0.0)])
def test_clear_evidence_decides(gains, weight):
    choice = choose(evidence_of(gains, skill=0.5))
    assert choice.weight == weight
    assert choice.gain == pytest.approx(gains[int(choice.best_weight == 1.0)])


def test_without_evidence_other_tasks_decide():
    gains, unsure = [-0.01, -0.01], 5.0
    skilled = choose(evidence_of(gains, skill=1.0, error=unsure))
    best = int(np.argmax([prior.mean(1.0, 1.0, 8.0) for prior in PRIORS]))
    assert skilled.weight == WEIGHTS[best]
    assert skilled.expected_gain == pytest.approx(PRIORS[best].mean(1.0, 1.0, 8.0), abs=0.01)
    single = Evidence(np.array([-1.0]), np.array([[-3.0], [-3.0]]), chance=-2.0, shots=2.0)
    assert choose(single).expected_gain == pytest.approx(max(prior.mean(1.0, 1.0, 4.0) for prior in PRIORS))


def test_no_more_is_expected_than_half_of_what_is_missing():
    assert PRIORS[0].mean(1.0, 0.02, 8.0) == 0.01


def test_less_is_expected_with_more_examples_of_each_label():
    prior = Prior(offset=0.04, slope=0.0, shots_slope=-0.03, spread=0.08, mismatch=0.05)
    means = [prior.mean(0.5, 1.0, shots) for shots in (2, 4, 5.6568542, 8, 100)]
    assert means == pytest.approx([0.04, 0.04, 0.025, 0.01, 0.01])


def test_a_gain_that_is_hardly_one_changes_nothing():
    sure = {"skill": 0.0, "error": 1e-6}
    small, large = (choose(evidence_of([gain, gain], **sure)) for gain in (0.01, 0.06))
    assert 0 < small.expected_gain < LEAST_GAIN < large.expected_gain
    assert (small.weight, large.weight > 0) == (0.0, True)


def test_the_expected_gain_is_the_mean_of_the_posterior():
    prior = Prior(offset=0.01, slope=0.1, shots_slope=-0.02, spread=0.08, mismatch=0.05)
    gain, error, skill, shots = -0.03, 0.06, 0.4, 6.0
    x = np.linspace(-2, 2, 40_001)
    log_p = -((x - prior.mean(skill, 1.0, shots)) ** 2) / (2 * prior.spread**2)
    log_p -= (x - gain) ** 2 / (2 * (error**2 + prior.mismatch**2))
    density = np.exp(log_p)
    shown = evidence_of([gain, gain], skill=skill, error=error)
    shown = replace(shown, shots=shots)
    expected = expected_gain(prior, shown, gain=gain, error=error)
    assert expected == pytest.approx((x * density).sum() / density.sum())


def test_logits_that_are_too_large_are_judged_at_the_scale_that_suits_them():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 60)
    logits = rng.normal(size=(60, 3))
    logits[np.arange(60), labels] += 1.5
    (log_p, factor), (of_large, factor_of_large) = (judge(each * logits, labels, 1.0) for each in (1, 20))
    assert factor_of_large < factor / 10
    assert abs(of_large.mean() - log_p.mean()) < 0.05


@pytest.mark.parametrize("is_tuned_better", [True, False])
def test_the_gate_leaves_a_task_as_it_is_that_tuning_harms(mapper, is_tuned_better, monkeypatch):
    rng = np.random.default_rng(0)
    targets = np.repeat([0, 1], 12)
    noise = rng.normal(size=(24, mapper.featurizer.text_dim)).astype("f4")
    clear = 0.3 * noise
    clear[:, 0] += np.where(targets == 0, 3.0, -3.0)
    noise, clear = (each / np.linalg.norm(each, axis=1, keepdims=True) for each in (noise, clear))
    features = (noise, clear) if is_tuned_better else (clear, noise)
    state = with_examples(
        mapper.featurizer,
        empty_state(mapper.featurizer, "text-classification"),
        Examples([TEXTS[0]] * 24, [LABELS[4 * i] for i in targets], None),
        {},
    )
    state = with_features(mapper.featurizer, state, features[0], state.name_features)
    evidence = left_out_evidence(
        mapper.featurizer, state, ToySteps(*features, state.name_features), judged_folds(state)
    )
    assert len(evidence.before) == 24
    monkeypatch.setattr(tuning_gate, "ENOUGH_LEFT_OUT", 8)
    assert [fold.number for fold in judged_folds(state)] == [0]
    assert (
        len(
            left_out_evidence(
                mapper.featurizer, state, ToySteps(*features, state.name_features), judged_folds(state)
            ).before
        )
        == 8
    )
    assert (choose(evidence).weight > 0) == is_tuned_better


def test_labels_of_one_example_do_not_count_as_left_out(mapper, monkeypatch):
    monkeypatch.setattr(tuning_gate, "ENOUGH_LEFT_OUT", 4)
    texts = [*TEXTS, "in june", "in rome", "in paris"]
    state = mapper.adapt(texts, [*LABELS, "time", "place", "city"]).state
    folds = judged_folds(state)
    # The first fold has four examples of labels that have others, and then all three of the others.
    assert [(len(fold.removed), len(fold.left_out)) for fold in folds] == [(7, 4)]
    monkeypatch.setattr(tuning_gate, "ENOUGH_LEFT_OUT", 7)
    assert [len(fold.left_out) for fold in judged_folds(state)] == [4, 2, 2]
