"""Tuned episodes: the same episodes as in evaluation, each tuned as a user's task would be."""

import numpy as np
import pytest

from metamapping.adaptation.evaluation import tuned_episodes
from metamapping.adaptation.evaluation.evaluation import evaluate
from metamapping.adaptation.evaluation.tuned_episodes import score_tuned
from metamapping.adaptation.featurizer import Featurizer
from metamapping.adaptation.tuning.tuning_record import Tuning
from metamapping.config.episodes import EvaluationSpec
from metamapping.models.weight_delta import WeightDelta
from metamapping.publishing.runtime_model import load_model
from tests.toys import ner_space, text_space

SPEC = EvaluationSpec(ways=3, shots=[0, 4], num_queries=4, num_episodes=6, max_texts=30)
SPACES = [text_space(), ner_space()]
NOTHING = Tuning(0.0, 16, 1.0, 12, -1.0, -1.0, 0.1, "no gain")


@pytest.fixture(scope="module")
def featurizer(folder):
    return Featurizer(load_model(folder, backend="tensorflow"), progress=False)


@pytest.fixture(scope="module")
def closed_form(featurizer):
    model = featurizer.model
    return evaluate(model.encoder, model.mapping, SPACES, SPEC, seed=3)


def test_what_is_not_tuned_scores_as_the_closed_form_on_the_same_episodes(
    featurizer, closed_form, monkeypatch
):
    monkeypatch.setattr(tuned_episodes, "tune_tokens", lambda *_: (None, NOTHING))
    asked = []
    scores = score_tuned(featurizer, SPACES, SPEC, seed=3, num_episodes=4, on_episode=asked.append)
    assert asked == ["toys"] * 4
    assert scores == {("toys", 4): pytest.approx(closed_form["toys", 4][:4])}


def test_a_tuned_encoder_scores_its_own_features(featurizer, closed_form, monkeypatch):
    base = featurizer.model.encoder.tuned_layers(3).base
    rng = np.random.default_rng(0)
    other = {name: array + rng.normal(size=array.shape).astype("f4") for name, array in base.items()}
    delta = WeightDelta.between(base, other, rank=8)
    changed = Tuning(1.0, 16, 1.0, 12, -1.0, -0.5, 0.1, "a gain")
    monkeypatch.setattr(tuned_episodes, "tune_tokens", lambda *_: (delta, changed))
    scores = score_tuned(featurizer, SPACES, SPEC, seed=3, num_episodes=6)
    assert scores["toys", 4] != pytest.approx(closed_form["toys", 4])


def test_episodes_are_tuned_by_the_gate(featurizer):
    scores = score_tuned(featurizer, SPACES, SPEC, seed=3, num_episodes=1)
    assert len(scores["toys", 4]) == 1
    assert 0 <= scores["toys", 4][0] <= 1


def test_zero_shots_leave_nothing_to_tune_to(featurizer):
    spec = SPEC.model_copy(update={"shots": [0]})
    assert score_tuned(featurizer, SPACES, spec, seed=3, num_episodes=1) == {}
