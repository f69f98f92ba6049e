"""Evaluation: scores a model on few-shot episodes of held-out sources, the same ones every round.

Each text is encoded once per source; the mappings of all episodes are then closed-form algebra on its
features. The score of an episode is accuracy for texts, and for ``ner`` the micro-F1 of whole entities. Where
texts have any number of labels, it is macro-F1 (``multi_label_episodes``).

    scores = evaluate(learner.encoder, learner.mapping, spaces, spec, seed=config.seed)
    scores["hotel", 4]                           # the scores of all 4-shot episodes
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Protocol

import numpy as np
import tensorflow as tf

from metamapping.adaptation.algebra.closed_form import solve_episodes
from metamapping.adaptation.algebra.mixture import mix
from metamapping.adaptation.algebra.plain_mapping import plain_mapping
from metamapping.adaptation.algebra.support import text_support
from metamapping.adaptation.evaluation.grade_episodes import grade_measures, predict_grades
from metamapping.adaptation.evaluation.multi_label_episodes import score_lists
from metamapping.adaptation.evaluation.word_episodes import score_words
from metamapping.config.episodes import EvaluationSpec
from metamapping.corpus.ragged import Ragged
from metamapping.episodes.batches import label_arrays
from metamapping.episodes.label_space import LabelSpace
from metamapping.episodes.sampler import EVALUATE_STREAM, Episode, sample_episodes
from metamapping.models.encoder import Tensors
from metamapping.models.mapping import MetaMapping
from metamapping.models.solvers.support_set import SupportSet
from metamapping.publishing.loaded_model import EncodesTexts
from metamapping.rounds.failures import EpisodeOutcome

# Limit on the Gram matrix entries of the episodes that are solved together. A grid of twenty points
# makes that 160 MB in float32.
_MAX_GRAM_ENTRIES = 2_000_000

Scores = dict[tuple[str, int], list[float]]
OutcomesCallback = Callable[[LabelSpace, dict[int, list[EpisodeOutcome]]], None]


class EvaluatedEncoder(EncodesTexts, Protocol):
    """What evaluation needs of an encoder: ``models.encoder``, or one of the runtime behind its names."""

    def names(self, batch: Tensors) -> tf.Tensor:
        """Features of label names.

        Args:
            batch: ``label_token_ids`` and ``label_padding_mask``, each ``(C, L)``.
        """


def evaluate(
    encoder: EvaluatedEncoder,
    mapping: MetaMapping,
    spaces: Sequence[LabelSpace],
    spec: EvaluationSpec,
    *,
    seed: int,
    on_progress: Callable[[str, int], None] | None = None,
    on_outcomes: OutcomesCallback | None = None,
) -> Scores:
    """Score a model on the episodes of all sources.

    Args:
        encoder: The encoder.
        mapping: The meta-learned mapping.
        spaces: The label spaces of the held-out sources.
        spec: Ways, shots, queries and number of episodes.
        seed: Determines the episodes, together with each source's name.
        on_progress: Called with a source's name and the number of texts just encoded.
        on_outcomes: Called with each label space and what happened in its episodes, by number of shots.

    Returns:
        The score of each episode, from 0 to 1, by source name and number of shots.
    """
    scores: Scores = {}
    for space in spaces:
        episodes = draw_episodes(space, spec, seed=seed)
        features = _encode(encoder, mapping, space, episodes, on_progress)
        if space.is_ner:
            score_episodes = _score_word_episodes
        elif space.is_multi_label:
            score_episodes = _score_list_episodes
        else:
            score_episodes = _score_text_episodes
        outcomes = {
            shots: score_episodes(mapping, space, features, drawn) for shots, drawn in episodes.items()
        }
        for shots, scored in outcomes.items():
            scores[space.source, shots] = [outcome.score for outcome in scored]
        if on_outcomes is not None:
            on_outcomes(space, outcomes)
    return scores


def draw_episodes(space: LabelSpace, spec: EvaluationSpec, *, seed: int) -> dict[int, list[Episode]]:
    """Draw the episodes of a source; they depend only on its name, the spec and the seed.

    Args:
        space: The label space of the source.
        spec: Ways, shots, queries and number of episodes.
        seed: Determines the episodes, together with the source's name.

    Returns:
        The episodes by number of shots: ``spec.num_episodes`` for each.
    """
    stream = [seed, EVALUATE_STREAM, zlib.crc32(space.source.encode())]
    pool = _limit_examples(space, spec, np.random.default_rng(stream))
    return {
        shots: sample_episodes(
            np.random.default_rng([*stream, shots]),
            pool,
            ways=spec.ways,
            shots=shots,
            num_queries=spec.num_queries,
            num_episodes=spec.num_episodes,
        )
        for shots in spec.shots
    }


def _limit_examples(space: LabelSpace, spec: EvaluationSpec, rng: np.random.Generator) -> LabelSpace:
    """The space with fewer examples for each label, so that a bounded number of texts is encoded."""
    needed = max(spec.shots) + spec.num_queries
    limit = max(needed, spec.max_texts // len(space.labels))
    # A copy, because a slice would keep the permutation of all rows alive.
    limited = replace(space, rows_of=tuple(rng.permutation(rows)[:limit].copy() for rows in space.rows_of))
    if not space.is_multi_label:
        return limited
    return replace(limited, rows_without_labels=rng.permutation(space.rows_without_labels)[:limit].copy())


@dataclass(frozen=True)
class _RowIndex:
    """The positions of rows among the encoded ones, which are in ascending order."""

    encoded: np.ndarray

    def __getitem__(self, rows: np.ndarray) -> np.ndarray:
        return np.searchsorted(self.encoded, rows)


@dataclass(frozen=True)
class _Features:
    """Features of the rows that a source's episodes use.

    ``index[row]`` is the position of an encoded row.
    """

    index: _RowIndex
    items: np.ndarray  # (num_texts, d), or for ner (num_words, d)
    words: Ragged | None  # for ner: the positions in ``items`` of each text's words
    names: tf.Tensor  # (num_labels, d), all labels of the space

    def of_sentence(self, row: int) -> np.ndarray:
        """The features of a sentence's words, ``(num_words, d)``."""
        assert self.words is not None
        words: np.ndarray = self.items[self.words[int(self.index[np.array(row)])]]
        return words


def _encode(
    encoder: EvaluatedEncoder,
    mapping: MetaMapping,
    space: LabelSpace,
    episodes: dict[int, list[Episode]],
    on_progress: Callable[[str, int], None] | None,
) -> _Features:
    used = [rows for drawn in episodes.values() for e in drawn for rows in (e.support, e.query)]
    rows = np.unique(np.concatenate(used))
    starts = None if space.word_starts is None else space.word_starts.take(rows)
    items = encoder.encode(
        space.token_ids.take(rows),
        space.segment_ids.take(rows),
        starts,
        on_progress=None if on_progress is None else lambda n: on_progress(space.source, n),
    )
    words = None
    if starts is not None:
        assert space.word_shapes is not None
        items = mapping.add_word_shapes(tf.constant(items), space.word_shapes.take(rows).values).numpy()
        words = Ragged(np.arange(len(items)), starts.offsets)
    slots = np.arange(len(space.labels))
    arrays = label_arrays(space.name_tokens, slots, len(slots))
    names = encoder.names({key: tf.constant(value) for key, value in arrays.items()})
    return _Features(_RowIndex(rows), items, words, names)


def _score_text_episodes(
    mapping: MetaMapping, space: LabelSpace, features: _Features, episodes: list[Episode]
) -> list[EpisodeOutcome]:
    """Score each episode by its accuracy, solving as many episodes together as memory allows."""
    num_items = max(1, len(episodes[0].support))
    batch_size = max(1, _MAX_GRAM_ENTRIES // num_items**2)
    batches = (episodes[first : first + batch_size] for first in range(0, len(episodes), batch_size))
    return [outcome for batch in batches for outcome in _score_text_batch(mapping, space, features, batch)]


def _score_text_batch(
    mapping: MetaMapping, space: LabelSpace, features: _Features, episodes: list[Episode]
) -> list[EpisodeOutcome]:
    assert space.label_of is not None
    label_of, slots = space.label_of, np.stack([e.labels for e in episodes])
    label_mask = tf.ones(slots.shape, tf.float32)
    G = tf.stack([_label_vectors(mapping, features, labels) for labels in slots])

    def gather(rows: list[np.ndarray]) -> tuple[tf.Tensor, np.ndarray]:
        """Features and label slots of the rows of each episode."""
        stacked = np.stack(rows).astype(np.int64)
        targets = (label_of[stacked][..., None] == slots[:, None, :]).argmax(axis=-1)
        return tf.constant(features.items[features.index[stacked]]), targets

    support, support_targets = gather([e.support for e in episodes])
    query, query_targets = gather([e.query for e in episodes])
    mask = tf.ones(support_targets.shape, tf.float32)
    support_set = SupportSet(support, tf.constant(support_targets, tf.int32), mask, label_mask)
    outcomes = []
    for i, solution in enumerate(solve_episodes(mapping, support_set, mapping.prior(G))):
        if solution.ridge is not None:
            examples = text_support(support[i].numpy(), support_targets[i])
            solution = mix(solution, examples, inverse_temperature=float(mapping.inverse_temperature))
        labels = tuple(space.labels[label] for label in slots[i])
        if not space.is_ordinal:
            predicted = solution.scores(query[i].numpy()).argmax(axis=-1)
            outcomes.append(_text_outcome(labels, query_targets[i], predicted))
            continue
        predicted = predict_grades(
            space.task_type,
            labels,
            solution,
            text_support(support[i].numpy(), support_targets[i]),
            query[i].numpy(),
            inverse_temperature=float(mapping.inverse_temperature),
        )
        measures = grade_measures(query_targets[i], predicted, len(labels))
        outcomes.append(_text_outcome(labels, query_targets[i], predicted, measures))
    return outcomes


def _text_outcome(
    labels: tuple[str, ...],
    targets: np.ndarray,
    predicted: np.ndarray,
    measures: Mapping[str, float] = MappingProxyType({}),
) -> EpisodeOutcome:
    """What happened to an episode's queries, of which both arrays hold the label slots."""
    wrong = np.flatnonzero(predicted != targets)
    return EpisodeOutcome(
        labels,
        score=float((predicted == targets).mean()),
        gold=Counter(labels[slot] for slot in targets),
        confused=Counter((labels[targets[i]], labels[predicted[i]]) for i in wrong),
        measures=measures,
    )


def _score_list_episodes(
    mapping: MetaMapping, space: LabelSpace, features: _Features, episodes: list[Episode]
) -> list[EpisodeOutcome]:
    """Score each episode by its macro-F1."""
    learned, names = plain_mapping(mapping), features.names.numpy()
    outcomes = []
    for episode in episodes:
        support, query = (features.items[features.index[rows]] for rows in (episode.support, episode.query))
        outcomes.append(score_lists(learned, space, names, support, query, episode))
    return outcomes


def _label_vectors(mapping: MetaMapping, features: _Features, labels: np.ndarray) -> tf.Tensor:
    """G of an episode's labels: ``(C, dim)``."""
    return mapping.label_vectors(
        tf.gather(features.names, labels), tf.zeros(len(labels)), tf.ones(len(labels))
    )


def _score_word_episodes(
    mapping: MetaMapping, space: LabelSpace, features: _Features, episodes: list[Episode]
) -> list[EpisodeOutcome]:
    """Score each episode by its entity micro-F1."""
    learned, names = plain_mapping(mapping), features.names.numpy()
    return [
        score_words(mapping, learned, space, names, features.of_sentence, episode) for episode in episodes
    ]
