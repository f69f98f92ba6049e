"""Tuned episodes: what tuning the encoder scores on the episodes by which a model is evaluated.

As for a user's task, the gate decides for each episode whether it is tuned. One episode takes as long as one
task, so that only the first few of a source are scored, at the most shots.

    scores = score_tuned(Featurizer(model), spaces, spec, seed=config.seed, num_episodes=3)
    scores["hotel", 16]                          # the scores of the first three 16-shot episodes
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from metamapping.adaptation.algebra.support import text_support
from metamapping.adaptation.evaluation.evaluation import Scores, draw_episodes
from metamapping.adaptation.featurizer import Featurizer
from metamapping.adaptation.state import empty_state
from metamapping.adaptation.state_changes import with_features
from metamapping.adaptation.tuning.tuning import TaskTokens, check_can_tune, tune_tokens
from metamapping.config.episodes import EvaluationSpec
from metamapping.corpus.ragged import Ragged
from metamapping.episodes.label_space import LabelSpace
from metamapping.episodes.padding import LABEL_LENGTH
from metamapping.episodes.sampler import Episode
from metamapping.models.view_layout import NUM_VIEWS
from metamapping.publishing.loaded_model import FeatureEncoder


def score_tuned(
    featurizer: Featurizer,
    spaces: Sequence[LabelSpace],
    spec: EvaluationSpec,
    *,
    seed: int,
    num_episodes: int,
    on_episode: Callable[[str], None] | None = None,
) -> Scores:
    """Score the first episodes of ``evaluation.evaluate`` at the most shots, after tuning to each.

    Args:
        featurizer: The encoder; not changed.
        spaces: The label spaces of the held-out sources; those of ``ner`` and of several labels a text are
            left out.
        spec: Ways, shots, queries and number of episodes.
        seed: Determines the episodes, together with each source's name.
        num_episodes: The largest number of episodes of a source.
        on_episode: Called with a source's name before each of its episodes.

    Returns:
        The accuracy of each episode, 0 to 1, by source name and number of shots.

    Raises:
        ValueError: The encoder cannot be tuned.
    """
    shots, scores = max(spec.shots), {}
    for space in (each for each in spaces if each.label_of is not None and shots > 0):
        check_can_tune(featurizer)
        of_source = []
        for episode in draw_episodes(space, spec, seed=seed)[shots][:num_episodes]:
            if on_episode is not None:
                on_episode(space.source)
            of_source.append(_score(featurizer, space, episode))
        scores[space.source, shots] = of_source
    return scores


def _score(featurizer: Featurizer, space: LabelSpace, episode: Episode) -> float:
    assert space.label_of is not None
    slot_of = {label: slot for slot, label in enumerate(episode.labels)}
    support, query = (_tokens(space, rows) for rows in (episode.support, episode.query))
    names = [space.name_tokens[label][:LABEL_LENGTH].tolist() for label in episode.labels]
    tokens = TaskTokens(
        support,
        (Ragged.from_lists(names, np.int32), Ragged.from_lists([[0] * len(name) for name in names], np.int8)),
    )
    targets = np.array([slot_of[label] for label in space.label_of[episode.support]])
    state = replace(
        empty_state(featurizer, space.task_type),
        labels=tuple(space.labels[label] for label in episode.labels),
        names=tuple(space.label_names[label] for label in episode.labels),
    )
    encoder: FeatureEncoder = featurizer.model.encoder
    features, of_names = _encoded(encoder, tokens)
    state = replace(state, support=text_support(features, targets, NUM_VIEWS))
    state = with_features(featurizer, state, features, of_names)
    delta, tuning = tune_tokens(featurizer, state, tokens)
    if delta is not None:
        featurizer = featurizer.tuned(delta)
        encoder = featurizer.model.encoder
        state = with_features(featurizer, replace(state, tuning=tuning), *_encoded(encoder, tokens))
    predicted = state.probabilities(encoder.encode(*query)).argmax(axis=-1)
    gold = np.array([slot_of[label] for label in space.label_of[episode.query]])
    return float((predicted == gold).mean())


def _tokens(space: LabelSpace, rows: np.ndarray) -> tuple[Ragged, Ragged]:
    return space.token_ids.take(rows), space.segment_ids.take(rows)


def _encoded(encoder: FeatureEncoder, tokens: TaskTokens) -> tuple[np.ndarray, np.ndarray]:
    """The features of the texts and of the names."""
    return encoder.encode(*tokens.texts), encoder.encode(*tokens.names)[:, : encoder.dim]
