"""Batches: draws made into padded arrays of a few fixed shapes, ready for the compiled meta-step.

A batch is a dict of arrays (``B`` texts, ``L`` tokens, ``N`` items that are classified, ``C``
labels, ``S`` splits). Items are texts, or for ``ner`` words.

==================  ==========  =============================================================
key                 shape       holds
==================  ==========  =============================================================
token_ids           (B, L)      int32, padded with 0
segment_ids         (B, L)      int32
padding_mask        (B, L)      int32, 1 at tokens
group_ends          (G,)        int32, where groups of texts end that go through the encoder together
pool                (B, L)      float32, texts alone: the tokens whose states are averaged
word_of             (B, L)      int32, ner alone: the item that a token is a piece of; −1 for none
piece_counts        (N,)        float32, ner alone: pieces of each word; 0 where there is none
word_shapes         (N, 3)      int32, ner alone: shapes of the word before, the word, the word after
targets             (N,)        int32, label slot of each item
label_token_ids     (C, 16)     int32, the labels' names; label_padding_mask likewise
is_outside          (C,)        float32, 1 at the slot of ner's "outside"
label_mask          (S, C)      float32, labels that take part in a split
support, query      (S, N)      float32, disjoint; a query's weight in the loss
==================  ==========  =============================================================
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from metamapping.config.schema import EpisodeSpec
from metamapping.corpus.ragged import Ragged
from metamapping.corpus.word_shapes import WINDOW, without_case
from metamapping.episodes.label_space import LabelSpace
from metamapping.episodes.length_groups import group_ends
from metamapping.episodes.sampler import Draw, ner_sentences

Batch = dict[str, np.ndarray]

LABEL_LENGTH = 16

# Of a batch; and the texts of a group in the mean. More groups pad less, and take longer to compile.
NUM_GROUPS, LEAST_TEXTS = 4, 2
_LENGTHS = (16, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 2048, 4096, 8192)


def length_bucket(longest: int) -> int:
    """The smallest of the few padded lengths that holds ``longest`` tokens."""
    return next(length for length in _LENGTHS if length >= longest)


def pad_tokens(
    token_ids: Ragged,
    segment_ids: Ragged,
    rows: Sequence[int] | np.ndarray,
    num_texts: int,
    *,
    length: int | None = None,
) -> Batch:
    """Padded ``token_ids``, ``segment_ids``, ``padding_mask`` and ``pool``, each ``(B, L)``.

    ``length``: ``L``; ``None`` takes one of the few that fit.

    The states of a pair are pooled over its second text, read in the context of the first. Rows
    beyond ``rows`` are padding; their first position stays visible, so that attention is defined.
    """
    if length is None:
        length = length_bucket(max((len(token_ids[row]) for row in rows), default=1))
    length = max(1, length)
    batch = {
        "token_ids": np.zeros((num_texts, length), np.int32),
        "segment_ids": np.zeros((num_texts, length), np.int32),
        "padding_mask": np.zeros((num_texts, length), np.int32),
    }
    batch["padding_mask"][:, 0] = 1
    for i, row in enumerate(rows):
        tokens = token_ids[row]
        batch["token_ids"][i, : len(tokens)] = tokens
        batch["segment_ids"][i, : len(tokens)] = segment_ids[row]
        batch["padding_mask"][i, : len(tokens)] = 1
    is_pair = batch["segment_ids"].any(axis=1, keepdims=True)
    batch["pool"] = np.where(is_pair, batch["segment_ids"], batch["padding_mask"]).astype(np.float32)
    return batch


def build_batch(space: LabelSpace, draw: Draw, spec: EpisodeSpec) -> Batch:
    """The padded arrays of ``draw``, whose numbers are those of ``space``; texts in order of length."""
    draw = _by_length(space, draw)
    if space.is_ner:
        batch, items, targets = _words(space, draw, spec)
        slots = np.concatenate([[-1], draw.labels])
    else:
        batch = pad_tokens(space.token_ids, space.segment_ids, draw.rows, spec.num_texts)
        items = np.arange(len(draw.rows))
        slot_of = np.full(len(space.labels), -1)
        slot_of[draw.labels] = np.arange(len(draw.labels))
        assert space.label_of is not None
        targets = slot_of[space.label_of[draw.rows]]
        slots = draw.labels
        if spec.query_weights == "natural":
            draw = replace(draw, query=_natural(space, draw, targets))
    lengths = batch["padding_mask"].sum(axis=1)
    batch["group_ends"] = group_ends(lengths, min(NUM_GROUPS, max(1, len(lengths) // LEAST_TEXTS)))
    num_items = spec.max_ner_words if space.is_ner else spec.num_texts
    batch["targets"] = _fill(targets, (num_items,), np.int32)
    batch["support"] = _fill(draw.support[:, items], (len(draw.support), num_items), np.float32)
    batch["query"] = _fill(draw.query[:, items], (len(draw.query), num_items), np.float32)
    label_mask = draw.label_mask
    if space.is_ner:
        label_mask = np.concatenate([np.ones((len(label_mask), 1), bool), label_mask], axis=1)
    batch["label_mask"] = _fill(label_mask, (len(label_mask), spec.max_ways), np.float32)
    return batch | label_arrays(space.name_tokens, slots, spec.max_ways)


def _natural(space: LabelSpace, draw: Draw, targets: np.ndarray) -> np.ndarray:
    """Float ``(num_splits, num_texts)``: queries weighted by how often their label stands in the source.

    A split's weights are 1 in the mean.
    """
    sizes = np.asarray([len(space.rows_of[c]) for c in draw.labels], float)[targets]
    counts = np.stack([(draw.query & (targets == slot)).sum(axis=1) for slot in range(len(draw.labels))])
    weights = draw.query * sizes / np.maximum(counts[targets].T, 1)
    total = np.maximum(weights.sum(axis=1, keepdims=True), 1e-9)
    natural: np.ndarray = weights / total * draw.query.sum(axis=1, keepdims=True)
    return natural


def _by_length(space: LabelSpace, draw: Draw) -> Draw:
    order = np.argsort(space.token_ids.lengths[draw.rows], kind="stable")
    return replace(draw, rows=draw.rows[order], support=draw.support[:, order], query=draw.query[:, order])


def label_arrays(name_tokens: Ragged, slots: np.ndarray, num_labels: int) -> Batch:
    """Arrays of the label names in ``slots`` (a slot of -1 is ner's "outside")."""
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
        "is_outside": _fill(slots == -1, (num_labels,), np.float32),
    }


def _words(space: LabelSpace, draw: Draw, spec: EpisodeSpec) -> tuple[Batch, np.ndarray, np.ndarray]:
    """Sentences of a NER draw, and for each word its sentence in the draw and its label slot."""
    assert space.word_starts is not None
    assert space.word_labels is not None
    assert space.word_shapes is not None
    batch = pad_tokens(space.token_ids, space.segment_ids, draw.rows, ner_sentences(spec))
    slot_of = np.zeros(len(space.labels) + 1, np.int32)  # types outside the draw are "outside"
    slot_of[draw.labels + 1] = 1 + np.arange(len(draw.labels))
    items, targets = [], []
    for i, row in enumerate(draw.rows):
        items.append(np.full(len(space.word_starts[row]), i))
        targets.append(slot_of[space.word_labels[row]])
    most = spec.max_ner_words
    batch |= word_arrays(batch["padding_mask"], [space.word_starts[row] for row in draw.rows], most)
    shapes = np.concatenate([space.word_shapes[row] for row in draw.rows])[:most]
    shapes = without_case(shapes) if draw.is_uncased else shapes
    batch["word_shapes"] = _fill(shapes, (most, WINDOW), np.int32)
    del batch["pool"]
    return batch, np.concatenate(items)[:most], np.concatenate(targets)[:most]


def word_arrays(padding_mask: np.ndarray, starts: Sequence[np.ndarray], num_words: int) -> Batch:
    """``word_of`` and ``piece_counts`` of texts whose words have these first pieces, ``num_words`` at most.

    A word's pieces reach to the next word's first one. Behind the last word as many special tokens are
    taken to stand as before the first (BERT one, GPT none).
    """
    word_of, first = np.full(padding_mask.shape, -1, np.int32), 0
    for row, (mask, of_words) in enumerate(zip(padding_mask, starts, strict=False)):
        if len(of_words):
            end = max(int(of_words[-1]) + 1, int(mask.sum()) - int(of_words[0]))
            tokens = np.arange(of_words[0], end)
            numbers = first + np.searchsorted(of_words, tokens, side="right") - 1
            word_of[row, tokens] = np.where(numbers < num_words, numbers, -1)
            first += len(of_words)
    counts = np.bincount(word_of[word_of >= 0], minlength=num_words)
    return {"word_of": word_of, "piece_counts": counts.astype(np.float32)}


def _fill(values: np.ndarray, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    """``values`` in the leading corner of zeros of ``shape``."""
    filled = np.zeros(shape, dtype)
    filled[tuple(slice(size) for size in values.shape)] = values
    return filled
