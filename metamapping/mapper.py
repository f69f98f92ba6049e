"""MetaMapper: a published encoder in its users' hands.

    mapper = MetaMapper.from_pretrained("path/to/published")
    mapping = mapper.adapt(["Where is my parcel?", "I want my money back"], ["delivery", "refund"])
    mapping.predict(["It never arrived"])                      # ["delivery"]
    mapper.zero_shot(["delivery", "refund"]).predict(["It never arrived"])

Adapting is closed-form algebra on the features of a few examples: no gradient, and the encoder is
not touched. Texts are cleaned and tokenized as in training.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pyarrow as pa
import tensorflow as tf

from metamapping.config import TaskType, readable_label
from metamapping.corpus.cleaning import clean_texts, clean_words
from metamapping.corpus.tokens import Encoded, encode_texts, encode_words, load_tokenizer
from metamapping.episodes.batches import label_arrays
from metamapping.episodes.label_space import OUTSIDE, Ragged
from metamapping.models.mapping import centred_targets, compute_mapping
from metamapping.publishing import PublishedModel, read_published

Words = Sequence[str]


class MetaMapper:
    """A published encoder, its meta-learned mapping, and its tokenizer."""

    def __init__(self, model: PublishedModel) -> None:
        self._model = model
        self._tokenizer = load_tokenizer(model.tokenizer_folder, max_length_tokens=model.max_length_tokens)

    @classmethod
    def from_pretrained(cls, folder: str | Path) -> MetaMapper:
        """Load a published folder.

        Raises ``FileNotFoundError`` where there is none, and ``StoreError`` where it is damaged.
        """
        return cls(read_published(folder))

    def adapt(
        self,
        texts: Sequence[str] | Sequence[Words],
        labels: Sequence[str] | Sequence[Words],
        *,
        text_pairs: Sequence[str] | None = None,
        label_names: dict[str, str] | None = None,
        task_type: TaskType = "text-classification",
    ) -> Mapping:
        """The mapping of a task from its examples, in closed form.

        ``text_pairs``: the second text of each example. ``label_names``: readable words for
        labels, which tell the encoder what they mean; labels without an entry are read as they
        stand. For ``task_type="ner"`` a text is a list of words and a label a list of BIO tags.
        Raises ``ValueError`` for examples that cannot be learned from.
        """
        _check_examples(texts, labels, text_pairs, task_type)
        if task_type == "ner":
            return self._adapt_words(texts, labels, label_names or {})
        known = tuple(dict.fromkeys(str(label) for label in labels))
        _check_labels(known)
        slot = {label: i for i, label in enumerate(known)}
        targets = np.asarray([slot[str(label)] for label in labels])
        task = self._task(known, label_names or {}, task_type)
        return self._solve(task, self._text_features(texts, text_pairs), targets)

    def zero_shot(
        self,
        labels: Sequence[str],
        *,
        label_names: dict[str, str] | None = None,
        task_type: TaskType = "text-classification",
    ) -> Mapping:
        """The mapping of a task of which only the labels are known (``ner``: the entity types)."""
        _check_task_type(task_type)
        known = tuple(dict.fromkeys(labels))
        if task_type == "ner":
            known = (OUTSIDE, *(label for label in known if label != OUTSIDE))
        _check_labels(known)
        task = self._task(known, label_names or {}, task_type)
        nothing = np.zeros((0, self._model.encoder.dim), np.float32)
        return self._solve(task, nothing, np.zeros(0, np.int64))

    def _adapt_words(
        self, texts: Sequence[Words], tags: Sequence[Words], label_names: dict[str, str]
    ) -> Mapping:
        types = dict.fromkeys(tag[2:] for row in tags for tag in row if tag != OUTSIDE)
        known = (OUTSIDE, *types)
        _check_labels(known)
        slot = {label: i for i, label in enumerate(known)}
        targets = [slot[tag if tag == OUTSIDE else tag[2:]] for row in tags for tag in row]
        features, _ = self._word_features(texts)
        return self._solve(self._task(known, label_names, "ner"), features, np.asarray(targets))

    def _task(self, labels: tuple[str, ...], label_names: dict[str, str], task_type: TaskType) -> _Task:
        unknown = set(label_names) - set(labels)
        if unknown:
            raise ValueError(
                f"label_names names {sorted(unknown)[0]!r}, which is no label here; labels: "
                f"{', '.join(labels[:10])}"
            )
        names = [readable_label(label, label_names) for label in labels]
        return _Task(self, labels, names, task_type)

    def _solve(self, task: _Task, features: np.ndarray, targets: np.ndarray) -> Mapping:
        mapping, count = self._model.mapping, len(task.labels)
        is_outside = np.asarray([task.is_ner and label == OUTSIDE for label in task.labels])
        slots = np.where(is_outside, -1, np.arange(count))
        tokens = encode_texts(self._tokenizer, task.names).token_ids
        arrays = label_arrays(Ragged.from_lists(tokens, np.int32), slots, count)
        names = self._model.encoder.names({key: tf.constant(v) for key, v in arrays.items()})
        mask = tf.ones(count)
        prior = mapping.prior(mapping.label_vectors(names, tf.constant(is_outside, tf.float32), mask))
        weights = prior
        if len(features):
            weights = compute_mapping(
                tf.constant(features),
                centred_targets(tf.constant(targets, tf.int32), mask),
                support=tf.ones(len(features)),
                prior=prior,
                alpha=tf.convert_to_tensor(mapping.alpha),
                ridge=mapping.ridge,
            )
        return Mapping(task, weights.numpy(), float(mapping.scale.numpy()))

    def _text_features(self, texts: Sequence[Any], text_pairs: Sequence[str] | None) -> np.ndarray:
        """Float32 ``(num_texts, dim)``."""
        pairs = None if text_pairs is None else self._clean(text_pairs)
        encoded = encode_texts(self._tokenizer, self._clean(texts), pairs)
        return self._model.encoder.encode(*_ragged(encoded))

    def _word_features(self, texts: Sequence[Words]) -> tuple[np.ndarray, np.ndarray]:
        """Float32 ``(num_words, dim)`` of all words in order, and the texts' offsets among them.

        Texts that are longer than the encoder reads are encoded in several parts. A word without
        any piece of its own has zeros.
        """
        offsets = np.concatenate([[0], np.cumsum([len(words) for words in texts])]).astype(np.int64)
        features = np.zeros((int(offsets[-1]), self._model.encoder.dim), np.float32)
        words = pa.array([list(map(str, row)) for row in texts], pa.list_(pa.string()))
        cleaned = clean_words(words, self._model.cleaning.cleaners).to_pylist()
        parts = [(int(offsets[i]), row) for i, row in enumerate(cleaned) if row]
        while parts:
            encoded = encode_words(self._tokenizer, [row for _, row in parts])
            assert encoded.words is not None
            assert encoded.word_starts is not None
            starts = Ragged.from_lists(encoded.word_starts, np.int32)
            place = [first + w for (first, _), kept in zip(parts, encoded.words, strict=True) for w in kept]
            token_ids, segment_ids = _ragged(encoded)
            features[place] = self._model.encoder.encode(token_ids, segment_ids, starts)
            parts = [
                (first + cut, row[cut:])
                for (first, row), kept in zip(parts, encoded.words, strict=True)
                if (cut := max(kept, default=0) + 1) < len(row)
            ]
        return features, offsets

    def _clean(self, texts: Sequence[Any]) -> list[str]:
        cleaned = clean_texts(pa.array(list(texts), pa.string()), self._model.cleaning.cleaners)
        return [str(text) for text in cleaned.to_pylist()]


@dataclass(frozen=True)
class _Task:
    """What a mapping is about."""

    mapper: MetaMapper
    labels: tuple[str, ...]
    names: list[str]
    task_type: TaskType

    @property
    def is_ner(self) -> bool:
        return self.task_type == "ner"


class Mapping:
    """One task's mapping, with its labels. Made by ``MetaMapper.adapt`` and ``zero_shot``."""

    def __init__(self, task: _Task, weights: np.ndarray, scale: float) -> None:
        self._task = task
        self._weights = weights  # (dim + 1, num_labels)
        self._scale = scale

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels, in the order of ``predict_proba``'s columns; for ``ner`` "O" and the types."""
        return self._task.labels

    def predict(
        self,
        texts: Sequence[str] | Sequence[Words],
        *,
        text_pairs: Sequence[str] | None = None,
    ) -> list[Any]:
        """The label of each text; for ``ner`` the list of BIO tags of each list of words."""
        if self._task.is_ner:
            return [_tags(self.labels, scores) for scores in self._word_scores(texts)]
        best = self._text_scores(texts, text_pairs).argmax(axis=-1)
        return [self.labels[i] for i in best]

    def predict_proba(
        self,
        texts: Sequence[str] | Sequence[Words],
        *,
        text_pairs: Sequence[str] | None = None,
    ) -> Any:
        """Float32 ``(num_texts, num_labels)``; for ``ner`` a list of ``(num_words, num_labels)``."""
        if self._task.is_ner:
            return [self._softmax(scores) for scores in self._word_scores(texts)]
        return self._softmax(self._text_scores(texts, text_pairs))

    def _text_scores(self, texts: Sequence[Any], text_pairs: Sequence[str] | None) -> np.ndarray:
        _check_texts(texts, text_pairs)
        return self._scores(self._task.mapper._text_features(texts, text_pairs))

    def _word_scores(self, texts: Sequence[Words]) -> list[np.ndarray]:
        _check_word_lists(texts)
        features, offsets = self._task.mapper._word_features(texts)
        return np.split(self._scores(features), offsets[1:-1]) if len(texts) else []

    def _scores(self, features: np.ndarray) -> np.ndarray:
        scores: np.ndarray = features @ self._weights[:-1] + self._weights[-1]
        return scores

    def _softmax(self, scores: np.ndarray) -> np.ndarray:
        logits = self._scale * scores
        exponents = np.exp(logits - logits.max(axis=-1, keepdims=True, initial=-np.inf))
        probabilities: np.ndarray = exponents / exponents.sum(axis=-1, keepdims=True)
        return probabilities.astype(np.float32)


def _tags(labels: tuple[str, ...], scores: np.ndarray) -> list[str]:
    """BIO tags of one text: neighbouring words of one type are one entity."""
    types = [labels[i] for i in scores.argmax(axis=-1)]
    before = [OUTSIDE, *types]
    return [
        OUTSIDE if kind == OUTSIDE else f"{'I' if kind == last else 'B'}-{kind}"
        for kind, last in zip(types, before, strict=False)
    ]


def _ragged(encoded: Encoded) -> tuple[Ragged, Ragged]:
    token_ids = Ragged.from_lists(encoded.token_ids, np.int32)
    if encoded.segment_ids is None:
        return token_ids, Ragged(np.zeros(len(token_ids.values), np.int32), token_ids.offsets)
    return token_ids, Ragged.from_lists(encoded.segment_ids, np.int32)


def _check_examples(texts: Any, labels: Any, text_pairs: Any, task_type: str) -> None:
    _check_task_type(task_type)
    if len(texts) != len(labels):
        raise ValueError(f"{len(texts)} texts but {len(labels)} labels: give one label a text")
    if len(texts) == 0:
        raise ValueError("no examples: give a few, or use zero_shot(labels)")
    if task_type != "ner":
        _check_texts(texts, text_pairs)
        return
    if text_pairs is not None:
        raise ValueError("ner takes no text_pairs")
    _check_word_lists(texts)
    for i, (words, tags) in enumerate(zip(texts, labels, strict=True)):
        if isinstance(tags, str) or len(words) != len(tags):
            raise ValueError(
                f"text {i} has {len(words)} words, but its label is {tags!r}: give one tag a word"
            )
        for tag in tags:
            if tag != OUTSIDE and tag[:2] not in ("B-", "I-"):
                raise ValueError(f"text {i} has the tag {tag!r}: tags are O, B-type or I-type")


def _check_texts(texts: Any, text_pairs: Any) -> None:
    for i, text in enumerate(texts):
        if not isinstance(text, str):
            raise ValueError(f"text {i} is {text!r}: expected a string (lists of words are for ner)")
    if text_pairs is not None:
        if len(text_pairs) != len(texts):
            raise ValueError(f"{len(texts)} texts but {len(text_pairs)} text_pairs: give one a text")
        _check_texts(text_pairs, None)


def _check_word_lists(texts: Any) -> None:
    for i, words in enumerate(texts):
        if isinstance(words, str) or not all(isinstance(word, str) for word in words):
            raise ValueError(f"text {i} is {words!r}: for ner a text is a list of words")


def _check_task_type(task_type: str) -> None:
    if task_type not in get_args(TaskType):
        raise ValueError(f"task_type {task_type!r} is not one of {', '.join(get_args(TaskType))}")


def _check_labels(labels: tuple[str, ...]) -> None:
    if len(labels) < 2:
        raise ValueError(f"only one label ({', '.join(labels)}): a task needs at least two to choose between")
