"""Mapping: one task's mapping in its users' hands. ``MetaMapper.adapt`` and ``zero_shot`` make it.

    mapping.predict(["it has not arrived"])                       # ["delivery"]
    mapping.predict(["how old are you?"], threshold=0.5)          # [None]: no label is near enough
    mapping.add(["where is my money"], ["refund"])                # encodes the new text alone
    mapping.explain("it has not arrived")[0].text                 # the example that is most like it
    mapping.save("tasks/orders"); Mapping.load("tasks/orders")

Any number of threads may read while one changes it: all that a mapping knows is one immutable
``TaskState``, swapped at once, and every call reads it once.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from collections.abc import Mapping as Map
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from metamapping.adaptation.featurizer import Featurizer, parts_of
from metamapping.adaptation.inputs import read_examples, read_label_names, read_texts, read_word_lists
from metamapping.adaptation.results import Answers, Explanation, Neighbour
from metamapping.adaptation.state import TaskState, with_examples, without_examples, without_label
from metamapping.adaptation.task_folder import read_task, write_task
from metamapping.config.sources import Columns, TaskType
from metamapping.corpus.tags import OUTSIDE
from metamapping.models.viterbi import decode_words
from metamapping.publishing.published_model import read_published

if TYPE_CHECKING:
    from metamapping.adaptation.mapper import MetaMapper


class Mapping:
    """One task's mapping, with its labels and examples."""

    def __init__(self, featurizer: Featurizer, state: TaskState) -> None:
        self._featurizer = featurizer
        self._state = state
        self._writing = threading.Lock()

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels, in the order of ``predict_proba``'s columns; for ``ner`` "O" and the types.

        New labels are added at the end.
        """
        return self._state.labels

    @property
    def task_type(self) -> TaskType:
        """What the labels are about."""
        return self._state.task_type

    @property
    def num_examples(self) -> int:
        """Number of examples that it was computed from; for ``ner`` of lists of words."""
        return self._state.support.num_examples

    def predict(self, texts: Any, *, text_pairs: Any = None, threshold: float | None = None) -> list[Any]:
        """The label of each text; for ``ner`` the list of BIO tags of each list of words.

        ``threshold``: from 0 to 1. A text with less ``confidence`` gets ``None``; for ``ner`` a word
        whose best label has a lower probability gets "O".
        """
        _check_threshold(threshold)
        state = self._state
        if state.is_ner:
            return [self._tags(state, scores, threshold) for scores in self._word_scores(state, texts)]
        predicted: list[Any] = []
        for features in self._text_features(state, texts, text_pairs):
            if threshold is None:
                predicted += [state.labels[i] for i in state.solution.scores(features).argmax(axis=-1)]
                continue
            best, confidence = state.confidence(features)
            is_near = confidence >= threshold
            predicted += [state.labels[i] if near else None for i, near in zip(best, is_near, strict=True)]
        return predicted

    def predict_proba(self, texts: Any, *, text_pairs: Any = None) -> Any:
        """Float32 ``(num_texts, num_labels)``; for ``ner`` a list of ``(num_words, num_labels)``.

        The probabilities of the labels of a text that belongs to one of them: rows sum to 1.
        """
        state = self._state
        if state.is_ner:
            return self._word_probabilities(state, texts)
        parts = [state.probabilities(x) for x in self._text_features(state, texts, text_pairs)]
        return np.concatenate([np.zeros((0, len(state.labels)), np.float32), *parts])

    def confidence(self, texts: Any, *, text_pairs: Any = None) -> np.ndarray:
        """Float32 ``(num_texts,)``: how likely ``predict`` is right; what ``threshold`` is held against.

        The probability of the best label, times the probability that the text belongs to any label
        at all, judged as if half of all texts did not. Zero-shot nothing tells texts of no label, and
        it is the former alone.
        """
        state = self._state
        if state.is_ner:
            raise ValueError("confidence is about the label of a text; ner has one at each word")
        parts = [state.confidence(x)[1] for x in self._text_features(state, texts, text_pairs)]
        return np.concatenate([np.zeros(0, np.float32), *parts])

    def answer(self, texts: Any, *, text_pairs: Any = None, threshold: float | None = None) -> Answers:
        """``predict``, ``predict_proba`` and ``confidence`` at once; each text is encoded once."""
        _check_threshold(threshold)
        state = self._state
        if state.is_ner:
            raise ValueError("answer is about the label of a text; ner has one at each word")
        features = np.concatenate(
            [
                np.zeros((0, self._featurizer.text_dim), np.float32),
                *self._text_features(state, texts, text_pairs),
            ]
        )
        best, confidence = state.confidence(features)
        labels = [
            state.labels[slot] if threshold is None or sure >= threshold else None
            for slot, sure in zip(best, confidence, strict=True)
        ]
        return Answers(labels, state.probabilities(features), confidence)

    def add(
        self,
        texts: Any,
        labels: Any = None,
        *,
        text_pairs: Any = None,
        label_names: Map[Any, str] | None = None,
        columns: Columns | None = None,
    ) -> None:
        """Learn from more examples, as if they had been there from the start; labels may be new.

        Only the new texts are encoded. Takes what ``MetaMapper.adapt`` takes, and raises what it does.
        """
        examples = read_examples(
            texts, labels, text_pairs=text_pairs, task_type=self.task_type, columns=columns
        )
        names = read_label_names(label_names)
        with self._writing:
            self._state = with_examples(self._featurizer, self._state, examples, names)

    def remove(self, indices: Sequence[int] | None = None, *, label: str | None = None) -> None:
        """Forget examples by their numbers, or a label with all its examples.

        ``indices`` count from 0 in the order in which examples came. A label that loses its last
        example stays, known by its name alone. For ``ner`` the words of a removed type become "O".
        """
        if (indices is None) == (label is None):
            raise ValueError("give either indices or a label to remove")
        with self._writing:
            if indices is None:
                self._state = without_label(self._featurizer, self._state, str(label))
                return
            numbers = [int(index) for index in indices]
            for number in numbers:
                if not 0 <= number < self.num_examples:
                    raise ValueError(f"there is no example {number}: the task has {self.num_examples}")
            self._state = without_examples(self._featurizer, self._state, numbers)

    def explain(self, text: str, *, text_pair: str | None = None, num_examples: int = 3) -> Explanation:
        """The examples most like ``text``, nearest first, and what each adds to the predicted score."""
        state = self._state
        if state.is_ner:
            raise ValueError("explain is about the label of a text; ner has one at each word")
        (features,) = self._text_features(state, [text], None if text_pair is None else [text_pair])
        x = features[0]
        support, solution = state.support, state.solution
        label = int(solution.scores(x).argmax())
        similarity = support.main(support.features) @ support.main(features)[0]
        kernel = solution.weighted(support.features) @ solution.weighted(features)[0]
        weights = (kernel + 1.0) * solution.dual(support, label)
        nearest = np.argsort(-similarity, kind="stable")[:num_examples]
        neighbours = [
            Neighbour(
                text=support.texts[i],
                label=state.labels[support.targets[i]],
                similarity=float(similarity[i]),
                weight=float(weights[i]),
                index=int(i),
                text_pair=None if support.text_pairs is None else support.text_pairs[i],
            )
            for i in nearest
        ]
        return Explanation(
            neighbours,
            label=state.labels[label],
            score=float(solution.scores(x)[label]),
            prior=float(x @ solution.prior[:-1, label] + solution.prior[-1, label]),
        )

    def save(self, folder: str | Path, *, keep_texts: bool = True) -> Path:
        """Write the task into ``folder``, all or nothing; an older saved task there is replaced.

        ``keep_texts=False`` leaves the examples' texts out; their features stay, so that ``add`` and
        ``remove`` still work. Raises ``ValueError`` where something else is in the way.
        """
        return write_task(Path(folder), self._featurizer, self._state, keep_texts=keep_texts)

    @classmethod
    def load(cls, folder: str | Path, mapper: MetaMapper | None = None) -> Mapping:
        """A saved task. Without a ``mapper`` the published folder that it names is opened.

        Raises ``FileNotFoundError`` where there is none, and ``StoreError`` where the folder is
        damaged or the task was adapted with another encoder.
        """
        saved = read_task(Path(folder))
        featurizer = Featurizer(read_published(saved.model_folder)) if mapper is None else mapper.featurizer
        saved.check_model(featurizer)
        return cls(featurizer, saved.state)

    def __reduce__(self) -> Any:
        raise TypeError("a mapping is never pickled or copied: save(folder), then Mapping.load(folder)")

    def _text_features(self, state: TaskState, texts: Any, text_pairs: Any) -> Iterator[np.ndarray]:
        """Features of a few thousand texts at a time: their scores together may be too large."""
        firsts, seconds = read_texts(texts, text_pairs)
        if firsts:
            state.support.check_pairs(seconds is not None)
        features = self._featurizer.texts(firsts, seconds)
        return (features[part] for part in parts_of(len(features)))

    def _word_probabilities(self, state: TaskState, texts: Any) -> list[np.ndarray]:
        return [state.calibration.probabilities(scores) for scores in self._word_scores(state, texts)]

    def _word_scores(self, state: TaskState, texts: Any) -> list[np.ndarray]:
        words = read_word_lists(texts)
        features, offsets = self._featurizer.words(words)
        return np.split(state.solution.scores(features), offsets[1:-1]) if words else []

    def _tags(self, state: TaskState, scores: np.ndarray, threshold: float | None) -> list[str]:
        """BIO tags of one text, chosen together: neighbouring words of one type are one entity."""
        slots = decode_words(scores)
        if threshold is not None:
            probabilities = state.calibration.probabilities(scores)
            is_sure = probabilities[np.arange(len(slots)), slots] >= threshold
            slots = np.where(is_sure, slots, 0)
        types = [state.labels[i] for i in slots]
        before = [OUTSIDE, *types]
        return [
            OUTSIDE if kind == OUTSIDE else f"{'I' if kind == last else 'B'}-{kind}"
            for kind, last in zip(types, before, strict=False)
        ]


def _check_threshold(threshold: float | None) -> None:
    if threshold is not None and not 0 <= threshold <= 1:
        raise ValueError(f"threshold is {threshold}: expected a probability, from 0 to 1")
