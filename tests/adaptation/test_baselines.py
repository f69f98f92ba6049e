"""Logistic regression on the episodes of the evaluation: its scores are those of scikit-learn."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from metamapping.adaptation.baselines import score_logistic_regression
from metamapping.adaptation.evaluation import draw_episodes
from metamapping.config.episodes import EvaluationSpec
from metamapping.training.learner import build_learner
from tests.toys import ENCODER, TRAINING, VOCABULARY_SIZE, ner_space, text_space

SPEC = EvaluationSpec(ways=3, shots=[0, 2], num_queries=3, num_episodes=4)


@pytest.fixture(scope="module")
def encoder():
    return build_learner(ENCODER, TRAINING, vocabulary_size=VOCABULARY_SIZE, seed=0).encoder


def test_the_scores_are_those_of_scikit_learn_on_the_same_episodes(encoder):
    space = text_space()
    scores = score_logistic_regression(encoder, [space], SPEC, seed=3)
    assert list(scores) == [("toys", 2)]  # nothing can be fitted to no example
    features = encoder.encode(space.token_ids, space.segment_ids)[:, : encoder.dim]
    expected = []
    for episode in draw_episodes(space, SPEC, seed=3)[2]:
        fitted = LogisticRegression(max_iter=1_000)
        fitted.fit(features[episode.support], space.label_of[episode.support])
        expected.append(fitted.score(features[episode.query], space.label_of[episode.query]))
    np.testing.assert_allclose(scores["toys", 2], expected)


def test_entities_are_scored_as_whole_entities(encoder):
    scores = score_logistic_regression(encoder, [ner_space()], SPEC, seed=3)["entities", 2]
    assert len(scores) == 4
    assert all(0.0 <= score <= 1.0 for score in scores)
    # The tokens of the toy sentences reveal their tags.
    assert np.mean(scores) > 0.5
