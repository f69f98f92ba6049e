"""Evaluation: scores against hand-computed ones, and episodes that are reproducible."""

import numpy as np
import pytest

from metamapping.adaptation.entity_scores import entity_f1, entity_spans
from metamapping.adaptation.evaluation.evaluation import draw_episodes, evaluate
from metamapping.config.episodes import EvaluationSpec
from metamapping.training.learner import build_learner
from tests.toys import ENCODER, TRAINING, VOCABULARY_SIZE, ner_space, text_space

SPEC = EvaluationSpec(ways=3, shots=[0, 4], num_queries=3, num_episodes=6, max_texts=30)


@pytest.fixture(scope="module")
def learner():
    return build_learner(ENCODER, TRAINING, vocabulary_size=VOCABULARY_SIZE, seed=0)


def test_spans_are_the_entities_of_bio_tags():
    tags = ["B-a", "I-a", "B-a", "O", "I-b", "I-a", "B-b"]
    assert entity_spans(3, tags) == {
        (3, 0, 2, "a"),
        (3, 2, 3, "a"),
        (3, 4, 5, "b"),
        (3, 5, 6, "a"),
        (3, 6, 7, "b"),
    }


def test_f1_counts_whole_entities():
    gold = {(0, 0, 2, "a"), (0, 3, 4, "b"), (1, 0, 1, "a")}
    predicted = {(0, 0, 2, "a"), (0, 3, 5, "b")}  # one right, one too long, one missed
    assert entity_f1(gold, predicted) == pytest.approx(2 * 1 / 5)
    assert entity_f1(set(), set()) == 1.0
    assert entity_f1(gold, set()) == 0.0


def test_every_source_and_number_of_shots_has_one_score_per_episode(learner):
    scores = evaluate(learner.encoder, learner.mapping, [text_space(), ner_space()], SPEC, seed=0)
    assert {key: len(values) for key, values in scores.items()} == {
        ("toys", 0): 6,
        ("toys", 4): 6,
        ("entities", 0): 6,
        ("entities", 4): 6,
    }
    assert all(0 <= score <= 1 for values in scores.values() for score in values)


def test_labels_determined_by_the_tokens_are_learned_from_eight_shots(learner):
    spec = SPEC.model_copy(update={"shots": [0, 8], "num_episodes": 20})
    scores = evaluate(learner.encoder, learner.mapping, [text_space()], spec, seed=0)
    chance = 1 / 3
    assert np.mean(scores["toys", 8]) > 2 * chance
    assert np.mean(scores["toys", 8]) > np.mean(scores["toys", 0])


def test_episodes_are_reproducible_and_depend_on_the_seed():
    first, again, other = (draw_episodes(text_space(), SPEC, seed=seed) for seed in (0, 0, 1))
    for one, two, three in zip(first[4], again[4], other[4], strict=True):
        np.testing.assert_array_equal(one.support, two.support)
        np.testing.assert_array_equal(one.query, two.query)
        assert one.support.tolist() != three.support.tolist()


def test_episodes_draw_from_a_bounded_number_of_texts():
    space = text_space(per_label=100)
    episodes = draw_episodes(space, SPEC, seed=0)
    used = {row for drawn in episodes.values() for e in drawn for row in (*e.support, *e.query)}
    assert len(used) <= 30


def test_the_outcome_of_an_episode_accounts_for_its_score(learner):
    seen = {}

    def remember(space, outcomes):
        seen[space.source] = outcomes

    spaces = [text_space(), ner_space()]
    scores = evaluate(learner.encoder, learner.mapping, spaces, SPEC, seed=0, on_outcomes=remember)
    for shots in SPEC.shots:
        assert [each.score for each in seen["toys"][shots]] == scores["toys", shots]
        for each in seen["toys"][shots]:
            assert each.gold.total() == len(each.labels) * SPEC.num_queries
            assert each.score == pytest.approx(1 - each.confused.total() / each.gold.total())
        for each in seen["entities"][shots]:
            wrong_or_missed = sum(n for (gold, _), n in each.confused.items() if gold is not None)
            made_up_or_wrong = sum(n for (_, found), n in each.confused.items() if found is not None)
            right = each.gold.total() - wrong_or_missed
            total = each.gold.total() + right + made_up_or_wrong
            assert each.score == pytest.approx(2 * right / total if total else 1.0)
