"""Evaluation episodes of several labels a text, and of grades, against scores of scikit-learn."""

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score, f1_score

from metamapping.adaptation.evaluation.baselines import score_logistic_regression
from metamapping.adaptation.evaluation.evaluation import draw_episodes, evaluate
from metamapping.adaptation.evaluation.grade_episodes import grade_measures
from metamapping.adaptation.evaluation.multi_label_episodes import list_outcome
from metamapping.config.episodes import EvaluationSpec
from metamapping.config.sources import Source
from metamapping.episodes.label_space import build_label_space
from metamapping.training.learner import build_learner
from tests.toys import ENCODER, TRAINING, VOCABULARY_SIZE, label_set_space, token_table, tokenize_names

SPEC = EvaluationSpec(ways=3, shots=[0, 6], num_queries=4, num_episodes=8, max_texts=60)


@pytest.fixture(scope="module")
def learner():
    return build_learner(ENCODER, TRAINING, vocabulary_size=VOCABULARY_SIZE, seed=0)


def graded_space():
    rng = np.random.default_rng(0)
    rows = [
        (grade, None, [1, *(20 + 12 * i + rng.integers(0, 8, 3)).tolist(), 2], None)
        for i, grade in enumerate(["poor", "fair", "good"])
        for _ in range(14)
    ]
    source = Source(
        name="stars",
        task_type="sentiment-analysis",
        role="test",
        files=["x"],
        ordinal=["poor", "fair", "good"],
    )
    table = token_table(rows, "stars")
    return build_label_space(source, table, role="test", tokenize_names=tokenize_names)


def test_both_f1_scores_are_those_of_scikit_learn():
    rng = np.random.default_rng(0)
    gold, chosen = rng.random((2, 20, 3)) < 0.4
    outcome = list_outcome(("a", "b", "c"), gold, chosen)
    assert outcome.score == pytest.approx(f1_score(gold, chosen, average="macro"))
    assert outcome.measures["micro-F1"] == pytest.approx(f1_score(gold, chosen, average="micro"))
    assert outcome.gold["a"] == gold[:, 0].sum()
    assert outcome.confused["a", None] == (gold & ~chosen)[:, 0].sum()
    assert outcome.confused[None, "b"] == (chosen & ~gold)[:, 1].sum()


def test_nothing_to_find_and_nothing_found_is_right():
    nothing = np.zeros((4, 2), bool)
    outcome = list_outcome(("a", "b"), nothing, nothing)
    assert (outcome.score, outcome.measures["micro-F1"]) == (1.0, 1.0)
    assert not outcome.confused


def test_labels_that_tokens_reveal_are_learned_from_six_shots(learner):
    outcomes = {}
    scores = evaluate(
        learner.encoder,
        learner.mapping,
        [label_set_space()],
        SPEC,
        seed=0,
        on_outcomes=lambda space, of_space: outcomes.update(of_space),
    )
    assert np.mean(scores["sets", 6]) > max(0.6, np.mean(scores["sets", 0]))
    assert [outcome.score for outcome in outcomes[6]] == scores["sets", 6]
    assert all(0 <= outcome.measures["micro-F1"] <= 1 for outcome in outcomes[6])


def test_logistic_regression_has_the_same_episodes(learner):
    scores = score_logistic_regression(learner.encoder, [label_set_space()], SPEC, seed=0)
    assert len(scores["sets", 6]) == SPEC.num_episodes
    assert all(0 <= score <= 1 for score in scores["sets", 6])


def test_episodes_draw_from_a_bounded_number_of_texts():
    spec = SPEC.model_copy(update={"max_texts": 10, "num_episodes": 30})
    space = label_set_space(num_rows=400)
    drawn = draw_episodes(space, spec, seed=0)
    rows = np.unique(np.concatenate([np.append(e.support, e.query) for each in drawn.values() for e in each]))
    assert len(rows) <= 4 * (max(spec.shots) + spec.num_queries)


def test_the_error_and_the_kappa_of_grades_are_those_of_scikit_learn():
    rng = np.random.default_rng(0)
    gold, predicted = rng.integers(0, 4, (2, 30))
    measures = grade_measures(gold, predicted, 4)
    assert measures["MAE"] == pytest.approx(np.abs(gold - predicted).mean())
    assert measures["quadratic kappa"] == pytest.approx(
        cohen_kappa_score(gold, predicted, weights="quadratic")
    )


def test_grades_are_predicted_with_and_without_examples(learner):
    spec = SPEC.model_copy(update={"shots": [0, 8]})
    outcomes = {}
    scores = evaluate(
        learner.encoder,
        learner.mapping,
        [graded_space()],
        spec,
        seed=0,
        on_outcomes=lambda space, of_space: outcomes.update(of_space),
    )
    assert np.mean(scores["stars", 8]) > max(0.5, np.mean(scores["stars", 0]))
    for shots in spec.shots:
        assert set(outcomes[shots][0].measures) == {"MAE", "quadratic kappa"}
    few, many = (np.mean([o.measures["MAE"] for o in outcomes[shots]]) for shots in spec.shots)
    assert many < few
