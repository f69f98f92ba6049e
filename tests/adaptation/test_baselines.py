"""Logistic regression on the episodes of the evaluation: its scores are those of scikit-learn."""

import numpy as np
from sklearn.linear_model import LogisticRegression

from metamapping.adaptation.evaluation.baselines import score_logistic_regression
from metamapping.adaptation.evaluation.evaluation import draw_episodes
from metamapping.config.episodes import EvaluationSpec
from tests.toys import ner_space, text_space

SPEC = EvaluationSpec(ways=3, shots=[0, 2], num_queries=3, num_episodes=4)


class ToyEncoder:
    """The first view of a text is how often each ten of token ids occurs in it; of a word, its own ten."""

    dim = 8

    def encode(self, token_ids, segment_ids, word_starts=None, *, on_progress=None):
        tens = np.eye(self.dim)
        rows = [tens[np.minimum(token_ids[row] // 10, self.dim - 1)] for row in range(len(token_ids))]
        if word_starts is None:
            features = np.stack([row.mean(axis=0) for row in rows])
        else:
            features = np.concatenate([row[word_starts[i]] for i, row in enumerate(rows)])
        if on_progress is not None:
            on_progress(len(rows))
        return np.concatenate([features, np.full_like(features, 9.0)], axis=1)  # and another view


def test_the_scores_are_those_of_scikit_learn_on_the_same_episodes():
    space, encoder, told = text_space(), ToyEncoder(), []
    scores = score_logistic_regression(
        encoder, [space], SPEC, seed=3, on_progress=lambda source, count: told.append((source, count))
    )
    assert list(scores) == [("toys", 2)]  # nothing can be fitted to no example
    features = encoder.encode(space.token_ids, space.segment_ids)[:, : encoder.dim]
    expected = []
    for episode in draw_episodes(space, SPEC, seed=3)[2]:
        fitted = LogisticRegression(max_iter=1_000)
        fitted.fit(features[episode.support], space.label_of[episode.support])
        expected.append(fitted.score(features[episode.query], space.label_of[episode.query]))
    np.testing.assert_allclose(scores["toys", 2], expected)
    assert [source for source, _ in told] == ["toys"]


def test_entities_are_scored_as_whole_entities():
    # The tokens of the toy sentences show their tags to this encoder.
    scores = score_logistic_regression(ToyEncoder(), [ner_space()], SPEC, seed=3)
    assert scores == {("entities", 2): [1.0] * 4}
