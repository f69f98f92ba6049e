"""Batches: draws as padded arrays of a few fixed shapes, ready for the compiled meta-step.

A batch is a dict of arrays (``B`` texts, ``L`` tokens, ``N`` items to classify, ``C`` label slots, ``S``
splits, ``G`` groups). Items are texts, or for ``ner`` words.

==================  ==========  =============================================================
key                 shape       holds
==================  ==========  =============================================================
token_ids           (B, L)      int32, padded with 0
segment_ids         (B, L)      int32
padding_mask        (B, L)      int32, 1 at tokens
group_ends          (G,)        int32, the ends of groups of texts that are encoded together
packed_starts       (B,)        int32, where each text begins in the rows that texts share
packed_ends         (2,)        int32, the ends of the two groups of texts that share rows
packed_shapes       (2, 2)      int32, number and length of the rows of both
pool                (B, L)      float32, texts only: 1 at the tokens whose states are averaged
word_of             (B, L)      int32, ner only: the item that a token is a piece of; −1 for none
piece_counts        (N,)        float32, ner only: pieces of each word; 0 for padding
word_shapes         (N, 3)      int32, ner only: shapes of the previous word, the word, the next
targets             (N,)        int32, label slot of each item
label_sets          (N, C)      float32, several labels a text only, instead of ``targets``: 1 at its labels
label_token_ids     (C, 16)     int32, tokens of the labels' names
label_padding_mask  (C, 16)     int32, 1 at those tokens
is_outside          (C,)        float32, 1 at the slot of ner's "outside"
label_mask          (S, C)      float32, 1 at labels that take part in a split
support             (S, N)      float32, 1 at items of a split's support
query               (S, N)      float32, a query's weight in the loss; 0 for other items
==================  ==========  =============================================================

    batch = build_batch(space, sample_batch(rng, [space], {}, spec), spec)
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from metamapping.config.episodes import EpisodeSpec
from metamapping.corpus.ragged import Ragged
from metamapping.corpus.word_shapes import WINDOW, without_case
from metamapping.episodes.label_space import LabelSpace
from metamapping.episodes.length_groups import group_ends
from metamapping.episodes.packing import pack_texts
from metamapping.episodes.padding import LABEL_LENGTH, Batch, pad_tokens, word_arrays
from metamapping.episodes.sampler import Draw, num_ner_sentences

# Number of groups in a batch, and the minimum number of texts of a group on average. More groups need less
# padding, but each of them costs as much as some 50 tokens (benchmarks/README.md, "Speed of the learner").
NUM_GROUPS, MIN_TEXTS_PER_GROUP = 4, 2


def build_batch(space: LabelSpace, draw: Draw, spec: EpisodeSpec) -> Batch:
    """The padded arrays of a draw, texts in order of length.

    Args:
        space: The label space that the draw was taken from.
        draw: Texts and splits.
        spec: Sizes of a batch.

    Returns:
        The arrays of the module's table.
    """
    draw = _in_order_of_length(space, draw)
    if space.is_ner:
        batch, items, targets = _words(space, draw, spec)
        slots = np.concatenate([[-1], draw.labels])
    else:
        batch = pad_tokens(space.token_ids, space.segment_ids, draw.rows, spec.num_texts)
        items = np.arange(len(draw.rows))
        slot_of = np.full(len(space.labels), -1)
        slot_of[draw.labels] = np.arange(len(draw.labels))
        slots = draw.labels
        if space.is_multi_label:
            targets = space.indicators(draw.rows, draw.labels)
        else:
            assert space.label_of is not None
            targets = slot_of[space.label_of[draw.rows]]
            if spec.query_weights == "natural":
                draw = replace(draw, query=_natural_weights(space, draw, targets))
    lengths = batch["padding_mask"].sum(axis=1)
    num_groups = min(NUM_GROUPS, max(1, len(lengths) // MIN_TEXTS_PER_GROUP))
    batch["group_ends"] = group_ends(lengths, num_groups)
    batch |= pack_texts(lengths)
    num_items = spec.max_ner_words if space.is_ner else spec.num_texts
    if space.is_multi_label:
        batch["label_sets"] = _zero_padded(targets, (num_items, spec.max_ways), np.float32)
    else:
        batch["targets"] = _zero_padded(targets, (num_items,), np.int32)
    batch["support"] = _zero_padded(draw.support[:, items], (len(draw.support), num_items), np.float32)
    batch["query"] = _zero_padded(draw.query[:, items], (len(draw.query), num_items), np.float32)
    label_mask = draw.label_mask
    if space.is_ner:
        label_mask = np.concatenate([np.ones((len(label_mask), 1), bool), label_mask], axis=1)
    batch["label_mask"] = _zero_padded(label_mask, (len(label_mask), spec.max_ways), np.float32)
    return batch | label_arrays(space.name_tokens, slots, spec.max_ways)


def label_arrays(name_tokens: Ragged, slots: np.ndarray, num_labels: int) -> Batch:
    """The tokens of label names.

    Args:
        name_tokens: Token ids of the names of all labels.
        slots: The label in each slot, −1 for ner's "outside".
        num_labels: ``C``; slots beyond ``slots`` are padding.

    Returns:
        ``label_token_ids`` and ``label_padding_mask`` ``(C, 16)``, and ``is_outside`` ``(C,)``.
    """
    token_ids = np.zeros((num_labels, LABEL_LENGTH), np.int32)
    padding_mask = np.zeros((num_labels, LABEL_LENGTH), np.int32)
    padding_mask[:, 0] = 1
    for i, label in enumerate(slots):
        if label >= 0:
            tokens = name_tokens[int(label)][:LABEL_LENGTH]
            token_ids[i, : len(tokens)] = tokens
            padding_mask[i, : len(tokens)] = 1
    return {
        "label_token_ids": token_ids,
        "label_padding_mask": padding_mask,
        "is_outside": _zero_padded(slots == -1, (num_labels,), np.float32),
    }


def _in_order_of_length(space: LabelSpace, draw: Draw) -> Draw:
    order = np.argsort(space.token_ids.lengths_of(draw.rows), kind="stable")
    return replace(draw, rows=draw.rows[order], support=draw.support[:, order], query=draw.query[:, order])


def _natural_weights(space: LabelSpace, draw: Draw, targets: np.ndarray) -> np.ndarray:
    """Weights of queries by the frequency of their label in the source: float ``(num_splits, num_texts)``.

    The weights of a split's queries have the mean 1.
    """
    sizes = np.asarray([len(space.rows_of[c]) for c in draw.labels], float)[targets]
    counts = np.stack([(draw.query & (targets == slot)).sum(axis=1) for slot in range(len(draw.labels))])
    weights = draw.query * sizes / np.maximum(counts[targets].T, 1)
    total = np.maximum(weights.sum(axis=1, keepdims=True), 1e-9)
    natural: np.ndarray = weights / total * draw.query.sum(axis=1, keepdims=True)
    return natural


def _words(space: LabelSpace, draw: Draw, spec: EpisodeSpec) -> tuple[Batch, np.ndarray, np.ndarray]:
    """The sentences of a NER draw, and for each word its sentence in the draw and its label slot."""
    assert space.word_starts is not None
    assert space.word_labels is not None
    assert space.word_shapes is not None
    batch = pad_tokens(space.token_ids, space.segment_ids, draw.rows, num_ner_sentences(spec))
    slot_of = np.zeros(len(space.labels) + 1, np.int32)  # types that were not drawn become "outside"
    slot_of[draw.labels + 1] = 1 + np.arange(len(draw.labels))
    items, targets = [], []
    for i, row in enumerate(draw.rows):
        items.append(np.full(len(space.word_starts[row]), i))
        targets.append(slot_of[space.word_labels[row]])
    num_words = spec.max_ner_words
    batch |= word_arrays(batch["padding_mask"], [space.word_starts[row] for row in draw.rows], num_words)
    shapes = np.concatenate([space.word_shapes[row] for row in draw.rows])[:num_words]
    shapes = without_case(shapes) if draw.is_uncased else shapes
    batch["word_shapes"] = _zero_padded(shapes, (num_words, WINDOW), np.int32)
    del batch["pool"]
    return batch, np.concatenate(items)[:num_words], np.concatenate(targets)[:num_words]


def _zero_padded(values: np.ndarray, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    """``values``, padded with zeros at the end of every axis."""
    padded = np.zeros(shape, dtype)
    padded[tuple(slice(size) for size in values.shape)] = values
    return padded
