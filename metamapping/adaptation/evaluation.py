"""Evaluation: few-shot episodes from held-out sources, the same ones every round.

Each text of an episode is encoded once; the mappings of a cell's episodes are then closed-form
algebra. Accuracy for texts; for ``ner`` micro-F1 of whole entities.

    scores = evaluate(learner.encoder, learner.mapping, spaces, spec, seed=config.seed)
    scores["hotel", 4]                           # one score an episode
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import tensorflow as tf

from metamapping.adaptation.closed_form import solve
from metamapping.adaptation.support import Support
from metamapping.config.schema import EvaluationSpec
from metamapping.corpus.ragged import Ragged
from metamapping.corpus.tags import OUTSIDE
from metamapping.episodes.batches import label_arrays
from metamapping.episodes.label_space import LabelSpace
from metamapping.episodes.sampler import EVALUATE_STREAM, Episode, sample_episodes
from metamapping.models.encoder import Encoder
from metamapping.models.mapping import MetaMapping
from metamapping.models.solvers.support_set import SupportSet, score
from metamapping.models.viterbi import decode_words

# Products between items of all episodes that are solved at once; times twenty points of a grid, 160 MB.
_PRODUCTS_AT_ONCE = 2_000_000

Scores = dict[tuple[str, int], list[float]]
Span = tuple[int, int, int, str]  # sentence, first word, word after the last, type


def evaluate(
    encoder: Encoder,
    mapping: MetaMapping,
    spaces: Sequence[LabelSpace],
    spec: EvaluationSpec,
    *,
    seed: int,
    on_progress: Callable[[str, int], None] | None = None,
) -> Scores:
    """Scores of every episode, by source and number of shots.

    ``on_progress`` is told the source and the number of texts newly encoded.
    """
    scores: Scores = {}
    for space in spaces:
        episodes = draw_episodes(space, spec, seed=seed)
        features = _encode(encoder, mapping, space, episodes, on_progress)
        for shots, drawn in episodes.items():
            score_cell = _score_words if space.is_ner else _score_texts
            scores[space.source, shots] = score_cell(mapping, space, features, drawn)
    return scores


def draw_episodes(space: LabelSpace, spec: EvaluationSpec, *, seed: int) -> dict[int, list[Episode]]:
    """The fixed episodes of a source, by number of shots; they depend on its name and the seed."""
    stream = [seed, EVALUATE_STREAM, zlib.crc32(space.source.encode())]
    pool = _limited(space, spec, np.random.default_rng(stream))
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


def _limited(space: LabelSpace, spec: EvaluationSpec, rng: np.random.Generator) -> LabelSpace:
    """The same space with fewer examples a label, so that evaluation encodes a bounded number."""
    least = max(spec.shots) + spec.num_queries
    most = max(least, spec.max_texts // len(space.labels))
    return replace(space, rows_of=tuple(rng.permutation(rows)[:most] for rows in space.rows_of))


@dataclass(frozen=True)
class _Features:
    """Features of the rows that episodes use. ``index[row]`` is a row's place among them."""

    index: np.ndarray
    items: np.ndarray  # (num_texts, d), or for ner (num_words, d)
    words: Ragged | None  # ner: numbers of a text's words within items
    names: tf.Tensor  # (num_labels, d), all labels of the space


def _encode(
    encoder: Encoder,
    mapping: MetaMapping,
    space: LabelSpace,
    episodes: dict[int, list[Episode]],
    on_progress: Callable[[str, int], None] | None,
) -> _Features:
    used = [rows for drawn in episodes.values() for e in drawn for rows in (e.support, e.query)]
    rows = np.unique(np.concatenate(used))
    index = np.full(space.num_rows, -1)
    index[rows] = np.arange(len(rows))
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
        items = mapping.shaped(tf.constant(items), space.word_shapes.take(rows).values).numpy()
        words = Ragged(np.arange(len(items)), starts.offsets)
    slots = np.arange(len(space.labels))
    arrays = label_arrays(space.name_tokens, slots, len(slots))
    names = encoder.names({key: tf.constant(value) for key, value in arrays.items()})
    return _Features(index, items, words, names)


def _score_texts(
    mapping: MetaMapping, space: LabelSpace, features: _Features, episodes: list[Episode]
) -> list[float]:
    """Accuracy of each episode; as many are solved at once as their grids of strengths leave room for."""
    num_items = max(1, len(episodes[0].support))
    at_once = max(1, _PRODUCTS_AT_ONCE // num_items**2)
    parts = (episodes[first : first + at_once] for first in range(0, len(episodes), at_once))
    return [accuracy for part in parts for accuracy in _score_some(mapping, space, features, part)]


def _score_some(
    mapping: MetaMapping, space: LabelSpace, features: _Features, episodes: list[Episode]
) -> list[float]:
    assert space.label_of is not None
    label_of, slots = space.label_of, np.stack([e.labels for e in episodes])
    mask = tf.ones(slots.shape, tf.float32)
    G = tf.stack([_label_vectors(mapping, features, row) for row in slots])

    def gather(rows: list[np.ndarray]) -> tuple[tf.Tensor, np.ndarray]:
        stacked = np.stack(rows).astype(np.int64)
        targets = (label_of[stacked][..., None] == slots[:, None, :]).argmax(axis=-1)
        return tf.constant(features.items[features.index[stacked]]), targets

    support, support_targets = gather([e.support for e in episodes])
    query, query_targets = gather([e.query for e in episodes])
    everything = tf.ones(support_targets.shape, tf.float32)
    support_set = SupportSet(support, tf.constant(support_targets, tf.int32), everything, mask)
    weights = mapping.compute_mapping(support_set, mapping.prior(G))
    predicted = tf.argmax(score(query, weights), axis=-1).numpy()
    return [float(accuracy) for accuracy in (predicted == query_targets).mean(axis=-1)]


def _score_words(
    mapping: MetaMapping, space: LabelSpace, features: _Features, episodes: list[Episode]
) -> list[float]:
    """Entity micro-F1 of each episode."""
    return [_score_sentences(mapping, space, features, episode) for episode in episodes]


def _score_sentences(mapping: MetaMapping, space: LabelSpace, features: _Features, episode: Episode) -> float:
    assert space.word_labels is not None
    assert space.tags is not None
    assert features.words is not None
    slot_of = np.zeros(len(space.labels) + 1, np.int32)
    slot_of[episode.labels + 1] = 1 + np.arange(len(episode.labels))
    numbers = [features.words[features.index[row]] for row in episode.support]
    support = Support(
        texts=(None,) * len(numbers),
        text_pairs=None,
        features=features.items[np.concatenate([np.zeros(0, np.int64), *numbers])],
        targets=np.concatenate(
            [np.zeros(0, np.int32), *(slot_of[space.word_labels[row]] for row in episode.support)]
        ),
        offsets=np.cumsum([0, *map(len, numbers)]),
    )
    names = tf.gather(features.names, [0, *episode.labels]).numpy()
    names[0] = 0.0  # "outside" has no name
    solution = solve(mapping, names, np.arange(len(names)) == 0, support)
    wanted = {space.labels[c] for c in episode.labels}
    types = [OUTSIDE, *(space.labels[c] for c in episode.labels)]
    gold: set[Span] = set()
    predicted: set[Span] = set()
    for sentence, row in enumerate(episode.query):
        x = features.items[features.words[features.index[row]]]
        slots = decode_words(solution.scores(x))
        tags = [types[slot] if slot == 0 else f"I-{types[slot]}" for slot in slots]
        predicted |= entity_spans(sentence, tags)
        gold |= {span for span in entity_spans(sentence, space.tags[row]) if span[3] in wanted}
    return entity_f1(gold, predicted)


def entity_spans(sentence: int, tags: Sequence[str]) -> set[Span]:
    """The entities of BIO tags; an I- that continues nothing begins an entity, as in conlleval."""
    spans: set[Span] = set()
    start, kind = 0, OUTSIDE
    for i, tag in enumerate([*tags, OUTSIDE]):
        continues = tag.startswith("I-") and tag[2:] == kind
        if not continues:
            if kind != OUTSIDE:
                spans.add((sentence, start, i, kind))
            start, kind = i, OUTSIDE if tag == OUTSIDE else tag[2:]
    return spans


def entity_f1(gold: set[Span], predicted: set[Span]) -> float:
    """2·|gold ∩ predicted| / (|gold| + |predicted|); 1 where both are empty."""
    total = len(gold) + len(predicted)
    return 2 * len(gold & predicted) / total if total else 1.0


def _label_vectors(mapping: MetaMapping, features: _Features, labels: np.ndarray) -> tf.Tensor:
    """G of an episode's labels: ``(C, dim)``."""
    return mapping.label_vectors(
        tf.gather(features.names, labels), tf.zeros(len(labels)), tf.ones(len(labels))
    )
