"""Sampling: which source, which labels and which texts a batch holds, and how it is split.

Everything depends only on a generator, ``np.random.default_rng([seed, stream, round, index])``: batch
``index`` is the same whether or not the run was interrupted before it. Nothing here touches token data,
TensorFlow or the disk.

    draw = sample_batch(rng, spaces, weights, spec)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from metamapping.config.episodes import EpisodeSpec
from metamapping.episodes.label_space import LabelSpace

# The number after the run's seed, one for each stream of random numbers.
TRAIN_STREAM, EVALUATE_STREAM, BUILD_STREAM, AGREEMENT_STREAM, SELECT_STREAM = 1, 2, 3, 4, 5

# The share of named-entity batches whose capitals are hidden, because users' texts sometimes have none.
SHARE_UNCASED = 0.2


@dataclass(frozen=True)
class Draw:
    """The texts of one batch and their splits.

    Attributes:
        space: Number of the label space.
        labels: The batch's labels in its own order, int ``(num_labels,)``.
        rows: Rows of the label space, int ``(num_texts,)``.
        label_mask: Labels that take part in each split, bool ``(num_splits, num_labels)``.
        support: Bool ``(num_splits, num_texts)``. Split 0 is zero-shot: its support is empty.
        query: Bool ``(num_splits, num_texts)``, disjoint from ``support``.
        is_uncased: ``ner`` only: whether the shapes of words hide their capitals.
    """

    space: int
    labels: np.ndarray
    rows: np.ndarray
    label_mask: np.ndarray
    support: np.ndarray
    query: np.ndarray
    is_uncased: bool = False


@dataclass(frozen=True)
class Episode:
    """One evaluation episode: label numbers, support rows and query rows of a label space."""

    labels: np.ndarray
    support: np.ndarray
    query: np.ndarray


def sample_batch(
    rng: np.random.Generator,
    spaces: Sequence[LabelSpace],
    weights: Mapping[str, float],
    spec: EpisodeSpec,
) -> Draw:
    """Draw a source, then texts of some of its labels, then the splits.

    Args:
        rng: All randomness comes from it.
        spaces: The training sources.
        weights: Weight of each source by name; 1 for sources that are not named.
        spec: Sizes of a batch.
    """
    index = int(rng.choice(len(spaces), p=source_probabilities(spaces, weights)))
    space = spaces[index]
    if space.is_ner:
        return _sample_sentences(rng, index, space, spec)
    if space.is_multi_label:
        return _sample_label_sets(rng, index, space, spec)
    return _sample_texts(rng, index, space, spec)


def source_probabilities(spaces: Sequence[LabelSpace], weights: Mapping[str, float]) -> np.ndarray:
    """The probability of each space: proportional to the square root of its size times its weight.

    Args:
        spaces: The training sources.
        weights: Weight of each source by name; 1 for sources that are not named.

    Returns:
        Float64 ``(num_spaces,)``, with sum 1.
    """
    raw = np.asarray([np.sqrt(s.num_rows) * weights.get(s.source, 1.0) for s in spaces])
    probabilities: np.ndarray = raw / raw.sum()
    return probabilities


def sample_episodes(
    rng: np.random.Generator,
    space: LabelSpace,
    *,
    ways: int,
    shots: int,
    num_queries: int,
    num_episodes: int,
) -> list[Episode]:
    """Draw evaluation episodes: ``shots`` and ``num_queries`` texts of each of ``ways`` labels.

    For ``ner`` every type occurs in at least ``shots`` support sentences, and
    ``ways * num_queries`` other sentences that contain one of the types are the queries. Where texts have any
    number of labels, every label occurs in at least ``shots`` support texts and ``num_queries`` queries, or
    all there are, and as many texts have none of the episode's labels.

    Args:
        rng: All randomness comes from it.
        space: The source; every label needs ``shots + num_queries`` examples.
        ways: Labels of an episode; all labels of the space where it has fewer.
        shots: Support examples of each label.
        num_queries: Queries of each label.
        num_episodes: How many episodes to draw.
    """
    ways = min(ways, len(space.labels))
    episodes = []
    for _ in range(num_episodes):
        labels = np.sort(rng.choice(len(space.labels), ways, replace=False))
        if space.is_multi_label:
            groups = _groups_of_sets(space, labels)
            support = _cover(rng, groups, shots)
            left = [np.setdiff1d(group, support) for group in groups]
            query = _cover(rng, left, num_queries)
        elif space.is_ner:
            support = _cover(rng, [space.rows_of[c] for c in labels], shots)
            pool = np.setdiff1d(np.unique(np.concatenate([space.rows_of[c] for c in labels])), support)
            query = rng.choice(pool, min(len(pool), ways * num_queries), replace=False)
        else:
            drawn = [rng.choice(space.rows_of[c], shots + num_queries, replace=False) for c in labels]
            support = np.concatenate([rows[:shots] for rows in drawn])
            query = np.concatenate([rows[shots:] for rows in drawn])
        episodes.append(Episode(labels, support, query))
    return episodes


def num_ner_sentences(spec: EpisodeSpec) -> int:
    """The number of sentences in a NER batch: a quarter of the texts, since each has many words.

    Args:
        spec: The settings of training batches.
    """
    return max(2, spec.num_texts // 4)


def _sample_texts(rng: np.random.Generator, index: int, space: LabelSpace, spec: EpisodeSpec) -> Draw:
    ways = min(spec.max_ways, len(space.labels), spec.num_texts // 2)
    labels = rng.choice(len(space.labels), ways, replace=False)
    per_label = spec.num_texts // ways
    rows, targets = [], []
    for way, c in enumerate(labels):
        chosen = rng.permutation(space.rows_of[c])[:per_label]
        rows.append(chosen)
        targets.append(np.full(len(chosen), way))
    row, target = np.concatenate(rows), np.concatenate(targets)
    label_mask, support, query = _empty_splits(spec.num_splits, ways, len(row))
    for split in range(spec.num_splits):
        chosen_ways, shots = _ways_and_shots(rng, split, ways, spec)
        label_mask[split, chosen_ways] = True
        for way in chosen_ways:
            items = rng.permutation(np.flatnonzero(target == way))
            # At least one query of each label that has two texts.
            cut = min(shots, len(items) - 1)
            support[split, items[:cut]] = True
            query[split, items[cut:]] = True
    return Draw(index, labels, row, label_mask, support, query)


def _ways_and_shots(
    rng: np.random.Generator, split: int, ways: int, spec: EpisodeSpec
) -> tuple[np.ndarray, int]:
    """The labels of a split, as positions among those of the batch, and its number of shots.

    Training must see few and many labels: zero-shot (split 0) and the first few-shot split have all.
    """
    num_ways = ways if split <= 1 else int(rng.integers(2, ways + 1))
    chosen_ways = rng.choice(ways, num_ways, replace=False)
    return chosen_ways, 0 if split == 0 else int(rng.integers(1, spec.max_shots + 1))


def _sample_label_sets(rng: np.random.Generator, index: int, space: LabelSpace, spec: EpisodeSpec) -> Draw:
    """Texts that have any number of labels, some of them none of the batch's."""
    ways = min(spec.max_ways, len(space.labels), spec.num_texts // 2)
    labels = rng.choice(len(space.labels), ways, replace=False)
    row = _in_turn(rng, _groups_of_sets(space, labels), spec.num_texts)
    has = space.indicators(row, labels)
    label_mask, support, query = _empty_splits(spec.num_splits, ways, len(row))
    for split in range(spec.num_splits):
        chosen_ways, shots = _ways_and_shots(rng, split, ways, spec)
        label_mask[split, chosen_ways] = True
        others = rng.permutation(np.flatnonzero(~has[:, chosen_ways].any(axis=1)))
        # Of the many texts without a label of the split, as many take part as have one on average.
        others = others[: max(1, has[:, chosen_ways].sum() // len(chosen_ways))]
        groups = [np.flatnonzero(has[:, way]) for way in chosen_ways] + [others]
        # Of each label at most half of its texts are support, and one never is, so that queries remain.
        kept = [int(rng.choice(items)) for items in groups if len(items) > 1]
        halves = [np.setdiff1d(rng.permutation(items)[: len(items) // 2], kept) for items in groups]
        support[split, _cover(rng, halves, shots)] = True
        query[split, np.concatenate(groups)] = True
        query[split] &= ~support[split]
    return Draw(index, labels, row, label_mask, support, query)


def _groups_of_sets(space: LabelSpace, labels: np.ndarray) -> list[np.ndarray]:
    """The rows that have each label, and last those that have none of them."""
    is_other = np.zeros(space.num_rows, bool)
    is_other[np.concatenate([*space.rows_of, space.rows_without_labels])] = True
    groups = [space.rows_of[c] for c in labels]
    candidates = np.flatnonzero(is_other)
    return [*groups, candidates[~space.indicators(candidates, labels).any(axis=1)]]


def _in_turn(rng: np.random.Generator, groups: list[np.ndarray], number: int) -> np.ndarray:
    """Up to ``number`` different rows, one of each group in turn, so that rare labels are represented."""
    queues = [rng.permutation(rows)[:number] for rows in groups]
    in_turn = [queue[i] for i in range(number) for queue in queues if i < len(queue)]
    return np.asarray(list(dict.fromkeys(in_turn))[:number])


def _sample_sentences(rng: np.random.Generator, index: int, space: LabelSpace, spec: EpisodeSpec) -> Draw:
    ways = min(spec.max_ways - 1, len(space.labels))
    labels = rng.choice(len(space.labels), ways, replace=False)
    num_sentences = num_ner_sentences(spec)
    row = _in_turn(rng, [space.rows_of[c] for c in labels], num_sentences)
    label_mask, support, query = _empty_splits(spec.num_splits, ways, len(row))
    label_mask[:] = True
    items_with = [np.flatnonzero(_are_members(row, space.rows_of[c])) for c in labels]
    for split in range(spec.num_splits):
        shots = 0 if split == 0 else int(rng.integers(1, spec.max_shots + 1))
        # Of each type at most half of its sentences are support, so that queries of it remain.
        halves = [items[: max(1, len(items) // 2)] for items in map(rng.permutation, items_with)]
        chosen = _cover(rng, halves, shots)
        support[split, chosen[: len(row) - 1]] = True
        query[split] = ~support[split]
    is_uncased = bool(rng.random() < SHARE_UNCASED)
    return Draw(index, labels, row, label_mask, support, query, is_uncased)


def _are_members(rows: np.ndarray, ascending: np.ndarray) -> np.ndarray:
    """Which of a few rows are among many, ``(num_rows,)``; unlike `np.isin` without reading them all."""
    places = np.minimum(np.searchsorted(ascending, rows), len(ascending) - 1)
    members: np.ndarray = ascending[places] == rows
    return members


def _cover(rng: np.random.Generator, groups: list[np.ndarray], shots: int) -> np.ndarray:
    """Members of ``groups`` such that of each group at least ``shots`` are chosen, or all it has."""
    chosen: dict[int, None] = {}
    for group in groups:
        order = rng.permutation(group)
        num_chosen = sum(int(member) in chosen for member in order)
        for member in order:
            if num_chosen >= shots:
                break
            if int(member) not in chosen:
                chosen[int(member)] = None
                num_chosen += 1
    return np.asarray(list(chosen), dtype=np.int64)


def _empty_splits(
    num_splits: int, num_labels: int, num_texts: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A label mask, a support and a query mask, all false."""
    return (
        np.zeros((num_splits, num_labels), dtype=bool),
        np.zeros((num_splits, num_texts), dtype=bool),
        np.zeros((num_splits, num_texts), dtype=bool),
    )
