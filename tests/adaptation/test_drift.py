"""Drift: the signals are those of their definitions, an unchanged stream is quiet, and a shift is found."""

import json
import math

import numpy as np
import pytest

from metamapping.adaptation.algebra.calibration import calibrate
from metamapping.adaptation.algebra.solution import Solution
from metamapping.adaptation.algebra.support import Examples, empty_support
from metamapping.adaptation.drift import (
    Signals,
    joined,
    measure_drift,
    support_signals,
    text_signals,
)
from metamapping.adaptation.saved.prediction_log import (
    drift_of_log,
    is_log,
    read_log_signals,
    signals_of_rows,
)
from metamapping.adaptation.state import TaskState

DIM, LABELS, RIDGE = 16, 3, 1.0
CENTRES = np.linalg.qr(np.random.default_rng(1).normal(size=(DIM, DIM)))[0]


def texts_around(centres, num, rng, spread=0.2):
    """Features of texts of several labels, and the labels."""
    labels = rng.integers(len(centres), size=num)
    features = centres[labels] + spread * rng.normal(size=(num, DIM))
    return (features / np.linalg.norm(features, axis=1, keepdims=True)).astype(np.float32), labels


def weights_of(features, labels):
    H = np.concatenate([features, np.ones((len(features), 1))], axis=1)
    Y = np.eye(LABELS)[labels] - 1 / LABELS
    return np.linalg.solve(H.T @ H + RIDGE * np.eye(DIM + 1), H.T @ Y)


def state_of(features, labels, task_type="text-classification"):
    weights = weights_of(features, labels)
    support = empty_support(DIM).plus(
        Examples([f"text {i}" for i in range(len(labels))], list(labels), None),
        features,
        np.arange(len(labels) + 1),
        labels,
    )
    solution = Solution(weights, np.zeros_like(weights), RIDGE)
    calibration = calibrate(solution, support, learned_scale=10.0)
    names = tuple("abc")
    return TaskState(task_type, names, names, np.zeros((3, DIM), np.float32), support, solution, calibration)


def task(num=60, seed=0):
    rng = np.random.default_rng(seed)
    features, labels = texts_around(CENTRES[:LABELS], num, rng)
    return state_of(features, labels), rng


def test_the_signals_of_examples_are_those_of_the_mapping_of_the_others():
    state, _ = task(num=24)
    features, labels = state.support.features, state.support.targets
    signals = support_signals(state)
    for i in range(len(labels)):
        others = np.arange(len(labels)) != i
        scores = np.append(features[i], 1.0) @ weights_of(features[others], labels[others])
        logits = np.exp(state.calibration.scale * scores)
        assert signals.probability[i] == pytest.approx((logits / logits.sum()).max(), abs=1e-4)
        assert signals.similarity[i] == pytest.approx((features[others] @ features[i]).max(), abs=1e-5)


def test_the_signals_of_texts_are_probability_and_similarity():
    state, rng = task()
    features, _ = texts_around(CENTRES[:LABELS], 7, rng)
    signals = text_signals(state, features)
    np.testing.assert_allclose(signals.probability, state.probabilities(features).max(axis=1))
    nearest = [max(float(x @ example) for example in state.support.features) for x in features]
    np.testing.assert_allclose(signals.similarity, nearest, atol=1e-5)
    parts = joined([text_signals(state, features[:3]), text_signals(state, features[3:])])
    np.testing.assert_allclose(parts.similarity, signals.similarity, atol=1e-6)


def test_the_distance_is_the_largest_one_between_the_distribution_functions():
    rng = np.random.default_rng(0)
    before, now = Signals(rng.random(30), rng.random(30)), Signals(rng.random(40) ** 2, rng.random(40))
    drift = measure_drift(before, now)
    points = np.concatenate([before.probability, now.probability])
    distance = max(abs((before.probability <= x).mean() - (now.probability <= x).mean()) for x in points)
    assert drift.measures[0].statistic == pytest.approx(distance)
    assert drift.measures[0].mean == pytest.approx(now.probability.mean())
    assert (drift.num_reference, drift.num_texts) == (30, 40)


def test_unchanged_streams_alarm_about_as_often_as_asked_for():
    state, rng = task(num=300)
    earlier = text_signals(state, texts_around(CENTRES[:LABELS], 300, rng)[0])
    later = [text_signals(state, texts_around(CENTRES[:LABELS], 100, rng)[0]) for _ in range(40)]
    alarms = [measure_drift(earlier, each, false_alarm_rate=0.1).has_drifted for each in later]
    assert np.mean(alarms) < 0.25
    reference = support_signals(state)
    alarms = [measure_drift(reference, each).has_drifted for each in later]
    assert np.mean(alarms) < 0.1


@pytest.mark.parametrize("against", ["examples", "earlier"])
def test_texts_of_labels_that_the_task_does_not_know_are_found(against):
    state, rng = task()
    reference = support_signals(state)
    if against == "earlier":
        reference = text_signals(state, texts_around(CENTRES[:LABELS], 100, rng)[0])
    features, _ = texts_around(CENTRES[: LABELS + 3], 100, rng)
    drift = measure_drift(reference, text_signals(state, features))
    assert drift.has_drifted
    assert "the similarity fell from" in drift.sentence
    assert "p-value" in repr(drift)


def test_a_distribution_that_moved_around_the_same_mean_is_not_said_to_rise():
    same = np.full(100, 0.5)
    spread = np.repeat([0.4, 0.6], 50)
    drift = measure_drift(Signals(same, same), Signals(spread, same + 0.1))
    assert "the probability is 0.50 on average as before, but differently distributed" in drift.sentence
    assert "the similarity rose from 0.50 to 0.60 on average" in drift.sentence


def test_too_few_texts_named_entities_and_impossible_rates_are_refused():
    state, rng = task()
    few = text_signals(state, texts_around(CENTRES[:LABELS], 5, rng)[0])
    with pytest.raises(ValueError, match="there are 5 texts: drift needs at least 20"):
        measure_drift(support_signals(state), few)
    with pytest.raises(ValueError, match="expected a probability"):
        measure_drift(few, few, false_alarm_rate=0)
    words = state_of(state.support.features, state.support.targets)
    words = words.__class__(**{**words.__dict__, "task_type": "ner"})
    with pytest.raises(ValueError, match="ner has one label for each word"):
        support_signals(words)


def write_log(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def rows_of(signals, name):
    pairs = zip(signals.probability.tolist(), signals.similarity.tolist(), strict=True)
    return [{"task": name, "label": "a", "probability": p, "similarity": s} for p, s in pairs]


def test_a_log_is_read_task_by_task(tmp_path):
    state, rng = task()
    known = text_signals(state, texts_around(CENTRES[:LABELS], 50, rng)[0])
    foreign = text_signals(state, texts_around(CENTRES[LABELS:], 50, rng)[0])
    log = write_log(tmp_path / "log.jsonl", [*rows_of(known, "orders"), *rows_of(foreign, "mail")])
    np.testing.assert_allclose(read_log_signals(log, task="mail").similarity, foreign.similarity)
    earlier = write_log(tmp_path / "earlier.jsonl", rows_of(known, "mail"))
    assert drift_of_log(tmp_path, log, before=earlier, task="mail").has_drifted
    with pytest.raises(ValueError, match=r"several tasks \(orders, mail\)"):
        read_log_signals(log)
    with pytest.raises(ValueError, match="no task 'x', but orders, mail"):
        read_log_signals(log, task="x")


def test_lines_that_the_server_could_not_finish_are_left_out(tmp_path):
    lines = [
        json.dumps({"time": "now", "task": "orders", "label": "ä", "probability": p, "similarity": 0.5})
        for p in (0.25, 0.5)
    ]
    for unfinished in ('{"ti', lines[0][:30], lines[0][:-1]):
        path = tmp_path / "log.jsonl"
        path.write_text("\n".join([lines[0], unfinished, lines[1], unfinished]), encoding="utf-8")
        assert read_log_signals(path).probability.tolist() == [0.25, 0.5]
    path.write_bytes(f"{lines[0]}\n".encode() + '{"time": "now", "label": "ä'.encode()[:-1])
    assert read_log_signals(path).probability.tolist() == [0.25]


def test_a_file_is_a_log_by_its_first_finished_line(tmp_path):
    path, row = tmp_path / "log.jsonl", {"time": "now", "task": "t", "probability": 0.5, "similarity": 0.5}
    for content, is_one in (
        (json.dumps(row), True),
        ('{"time": "no\n' + json.dumps(row), True),
        ('{"time": "no\n', False),
        (json.dumps({"time": "now", "text": "other"}), False),
        ("text,label\n", False),
        ("", False),
    ):
        path.write_text(content)
        assert is_log(path) is is_one


def test_what_is_no_log_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="start `serve` with --log"):
        read_log_signals(tmp_path / "none.jsonl")
    with pytest.raises(ValueError, match="line 1 is no object of JSON"):
        read_log_signals(write_log(tmp_path / "a.jsonl", [3]))
    with pytest.raises(ValueError, match="has no predictions with `probability`"):
        read_log_signals(write_log(tmp_path / "b.jsonl", [{"text": "hello"}]))
    with pytest.raises(ValueError, match="has 'x' as `similarity`"):
        signals_of_rows([{"probability": 1, "similarity": "x"}])
    for number in (math.nan, math.inf, 10**400, [1.0], None):
        with pytest.raises(ValueError, match="expected a number from 0 to 1"):
            signals_of_rows([{"probability": 1, "similarity": number}])
    assert signals_of_rows([{"text": "hello"}]) is None
