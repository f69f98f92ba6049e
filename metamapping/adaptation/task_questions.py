"""Task questions: what a task can say about its own data, in closed form.

    print(mapping.cross_validate())                         # how good is it, without test rows?
    mapping.suspicious_labels()[0].suggested                # which labels are wrong?
    mapping.suggest(pool, num=20)[0].text                   # what to label next?
    mapping.errors(texts, labels)[0].explanation            # where does it fail, and why?
    mapping.explain("it has not arrived")[0].text           # what does this prediction rest on?
    mapping.drift(new_texts).has_drifted                    # has the world moved?

``Mapping`` inherits these methods. Each of them reads the task's state once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from metamapping.adaptation.cross_validation import CrossValidation, cross_validate
from metamapping.adaptation.drift import (
    FALSE_ALARM_RATE,
    Drift,
    Signals,
    joined,
    measure_drift,
    support_signals,
    text_signals,
)
from metamapping.adaptation.errors import text_errors, with_explanations, word_errors
from metamapping.adaptation.explanation import explain
from metamapping.adaptation.inputs.inputs import read_examples, read_ner_texts, read_texts
from metamapping.adaptation.label_checks.label_checks import check_labels
from metamapping.adaptation.label_checks.suspicious_labels import SuspiciousLabels
from metamapping.adaptation.results import Error, Explanation
from metamapping.adaptation.sentence_suggestion import suggested_sentences
from metamapping.adaptation.state import TaskState
from metamapping.adaptation.suggestion import Suggestion, are_new, gain_shares, suggest_items
from metamapping.adaptation.task_predictions import TaskPredictions
from metamapping.config.sources import Columns
from metamapping.corpus.labels import Label, label_kind, label_value
from metamapping.errors import listed


class TaskQuestions(TaskPredictions):
    """The questions that a task answers about its own data.

    Args:
        featurizer: Encodes new texts.
        state: The task's labels, examples and solution.
    """

    def cross_validate(self, *, groups: Sequence[Any] | None = None) -> CrossValidation:
        """Estimate how good the task is: each example is predicted by the mapping of all others.

        This takes milliseconds, because no mapping is computed twice. The estimate is for texts like the
        examples: if examples come in groups that resemble one another (of one customer, thread or document)
        and new texts do not, give the groups.

        Args:
            groups: The group of each example; the examples of a group are left out together, and the
                intervals are over groups.

        Returns:
            The predictions, and accuracy and macro-F1 (for ``ner`` the micro-F1 of whole entities) with 95 %
            intervals. It is printed as a table.

        Raises:
            ValueError: The task has no examples or only one group, there is not one group for each example,
                or the encoder was trained with a solver that is not a ridge regression.
        """
        return cross_validate(self._state, groups=groups)

    def explain(
        self,
        text: Any,
        *,
        text_pair: str | None = None,
        word: int | None = None,
        num_examples: int = 3,
        label: Label | None = None,
    ) -> Explanation:
        """Explain the score of a label by the examples that are most similar to the text.

        Args:
            text: The text; for ``ner`` a string or a list of words.
            text_pair: The second text of a pair.
            word: For ``ner`` the position of the word to explain, counted from 0: the neighbours are words of
                the examples.
            num_examples: How many examples to return.
            label: The label to explain; for ``ner`` a type, or "O". Default: the predicted one, which for a
                word need not be the one of the highest score. Where the entity that the word is part of is
                left out as too improbable, its type is explained, and ``left_out_probability`` says so.

        Returns:
            The most similar examples first, each with its contribution to the label's score.

        Raises:
            ValueError: The text is empty or does not fit the task, there is no such word or label, or the
                encoder was trained with a solver that is not a ridge regression.
        """
        state = self._state
        slots = None if label is None else np.array([self._slot_of(state, label)])
        if state.is_ner:
            features, position = self._word_features(text, word)
            left_out = None
            if slots is None:
                # Not the label of the highest score: words are predicted as parts of whole entities.
                slot, left_out = state.found_at(state.word_scores(features), position)
                slots = np.array([slot])
            explained = explain(state, features[[position]], num_examples=num_examples, slots=slots)[0]
            explained.left_out_probability = left_out
            return explained
        if word is not None:
            raise ValueError("word is for ner tasks: here a text has one label")
        pairs = None if text_pair is None else [text_pair]
        ((features, is_empty),) = self._text_features(state, [text], pairs)
        if is_empty.any():
            raise ValueError("the text is empty, so that no label is predicted: give a text to explain")
        return explain(state, features, num_examples=num_examples, slots=slots)[0]

    def errors(
        self,
        texts: Any,
        labels: Any = None,
        *,
        text_pairs: Any = None,
        columns: Columns | None = None,
        num_examples: int = 3,
    ) -> list[Error]:
        """Find the labelled texts that are predicted wrongly, and explain each error.

        Args:
            texts: A column of texts (for ``ner`` of lists of words), or a table.
            labels: A column of labels (for ``ner`` of lists of tags); part of the table if one is given.
            text_pairs: A column of second texts; part of the table if one is given.
            columns: The names of a table's columns.
            num_examples: How many similar examples explain each error.

        Returns:
            The errors; those with the highest probability of the wrong label come first. A label that the
            task does not know is always an error.

        Raises:
            ValueError: The rows cannot be read or do not fit the task.
        """
        state = self._state
        rows = read_examples(texts, labels, text_pairs=text_pairs, task_type=state.task_type, columns=columns)
        if state.is_ner:
            features, offsets = self._featurizer.words(rows.texts)
            errors = word_errors(state, state.word_scores(features).split(offsets), rows)
            items = [int(offsets[error.index]) + (error.word or 0) for error in errors]
        else:
            parts = list(self._text_features(state, rows.texts, rows.text_pairs))
            features = np.concatenate([each for each, _ in parts])
            is_empty = np.concatenate([each for _, each in parts])
            lowest = self._lowest_confidence(state, None)
            is_outside = None if lowest is None else state.confidence(features)[1] < lowest
            probabilities = state.probabilities(features)
            errors = text_errors(state, probabilities, rows, is_empty, is_outside=is_outside)
            items = [error.index for error in errors]
        return with_explanations(state, errors, features, items, num_examples=num_examples)

    def suspicious_labels(
        self,
        *,
        num: int | None = None,
        min_probability: float = 0.5,
        groups: Sequence[Any] | None = None,
    ) -> SuspiciousLabels:
        """Find the examples whose label is probably wrong, judged by all other examples.

        Each example is scored by all others in closed form, which takes well under a second for a thousand.

        Args:
            num: How many to return, whatever their probability. Default: all from ``min_probability``.
            min_probability: The lowest probability of being wrong that is returned, from 0 to 1.
            groups: The group of each example; the examples of a group do not judge one another.

        Returns:
            The examples with the probability that the label is wrong, the label that the others suggest, and
            the nearest of them; the most probable first. For ``ner`` each of them is about the words from
            ``word`` on. They are printed as a table.

        Raises:
            ValueError: A number is out of range, or as ``cross_validate``.
        """
        return check_labels(self._state, num=num, min_probability=min_probability, groups=groups)

    def suggest(self, texts: Any, num: int = 20, *, text_pairs: Any = None) -> list[Suggestion]:
        """Choose the texts that are worth labelling next.

        Without examples they are typical of the pool and unlike one another; with examples they are also
        those whose label is undecided.

        Args:
            texts: A column of texts without labels; for ``ner`` of strings, or of lists of words.
            num: How many texts to choose.
            text_pairs: The second text of each pair.

        Returns:
            The texts in the order in which to label them, with what the task predicts; fewer than ``num`` if
            there are not as many. Empty texts and those of the examples are never chosen, and no text twice.

        Raises:
            ValueError: ``num`` is less than 1, or the texts do not fit the task.
        """
        state = self._state
        if num < 1:
            raise ValueError(f"num is {num}: expected at least 1")
        if state.is_ner:
            if text_pairs is not None:
                raise ValueError("ner does not support text_pairs: leave them out")
            return suggested_sentences(self._featurizer, state, texts, num)
        firsts, seconds = read_texts(texts, text_pairs)
        if not firsts:
            return []
        parts = list(self._text_features(state, firsts, seconds))
        features = np.concatenate([each for each, _ in parts])
        is_empty = np.concatenate([each for _, each in parts])
        supports = [state.support, *([] if state.outside is None else [state.outside.support])]
        known = [row for support in supports for row in _rows(support.texts, support.text_pairs)]
        is_new = are_new(_rows(firsts, seconds), known)
        chosen, gains = suggest_items(state, features, num, is_allowed=~is_empty & is_new)
        labels, probabilities = self._predicted(state, features[chosen])
        return [
            Suggestion(
                index=int(i),
                text=firsts[i],
                label=label,
                probability=float(probability),
                gain=share,
                text_pair=None if seconds is None else seconds[i],
            )
            for i, share, label, probability in zip(
                chosen, gain_shares(gains), labels, probabilities, strict=True
            )
        ]

    def _predicted(self, state: TaskState, features: np.ndarray) -> tuple[list[Any], np.ndarray]:
        """The label of each text, or the list of its labels, and the probability that it is right."""
        probabilities = state.probabilities(features)
        slots = state.best_of(probabilities)
        labels: list[Any] = [state.labels[slot] for slot in slots]
        if state.outside is not None and (lowest := self._confidence_so_far(state)) is not None:
            is_outside = state.confidence(features)[1] < lowest
            outside = state.outside.label
            labels = [outside if out else label for label, out in zip(labels, is_outside, strict=True)]
        return labels, probabilities[np.arange(len(slots)), slots]

    def signals(self, texts: Any, *, text_pairs: Any = None) -> Signals:
        """Say how the task sees texts: how probable their labels are, and how similar they are to examples.

        Args:
            texts: A column of texts; empty ones are left out.
            text_pairs: The second text of each pair.

        Returns:
            The probability of the predicted label and the similarity to the most similar example, each
            ``(num_texts,)``. Several of them can be compared by ``adaptation.drift.measure_drift``.

        Raises:
            ValueError: It is a ``ner`` task, it has no examples, or the texts do not fit it.
        """
        state = self._state
        text_signals(state, state.support.features[:0])  # whether it can be done, before texts are encoded
        parts = self._text_features(state, texts, text_pairs)
        return joined([text_signals(state, features[~is_empty]) for features, is_empty in parts])

    def drift(
        self,
        texts: Any,
        *,
        text_pairs: Any = None,
        before: Any = None,
        before_pairs: Any = None,
        false_alarm_rate: float = FALSE_ALARM_RATE,
    ) -> Drift:
        """Test whether texts are unlike those that the task was made from, or unlike earlier ones.

        Args:
            texts: A column of texts without labels.
            text_pairs: The second text of each pair.
            before: A column of earlier texts to compare with. Default: the task's own examples, each as the
                mapping of the others sees it.
            before_pairs: Their second texts.
            false_alarm_rate: The probability of an alarm if nothing has changed.

        Returns:
            What has changed, and whether it is more than chance. It is printed as a table.

        Raises:
            ValueError: There are too few texts, or as ``signals``.
        """
        now = self.signals(texts, text_pairs=text_pairs)
        if before is None:
            reference = support_signals(self._state)
        else:
            reference = self.signals(before, text_pairs=before_pairs)
        return measure_drift(reference, now, false_alarm_rate=false_alarm_rate)

    def _slot_of(self, state: TaskState, label: Any) -> int:
        """The slot of a label that is to be explained."""
        value = label_value(label)
        if state.outside is not None and value == state.outside.label:
            raise ValueError(
                f"{label!r} is out of scope, which is no label with a score of its own: explain one of "
                f"{listed(state.labels)}, whose score was too low"
            )
        kind = None if value is None else label_kind(value)
        if value not in state.labels or kind != label_kind(state.labels[0]):
            raise ValueError(f"there is no label {label!r} to explain; labels: {listed(state.labels)}")
        return state.labels.index(value)

    def _word_features(self, words: Any, word: int | None) -> tuple[np.ndarray, int]:
        """The features of all words of a text, ``(num_words, word_dim)``, and the position of one of them."""
        (read,), _, _ = read_ner_texts([words])
        if not read:
            raise ValueError("the text has no words: give a text to explain")
        if word is None or not 0 <= word < len(read):
            found = "no word is chosen" if word is None else f"there is no word {word}"
            raise ValueError(
                f"{found}: for ner one word is explained, such as word=0; the text has the words 0 to "
                f"{len(read) - 1}"
            )
        return self._featurizer.words([read])[0], word


def _rows(texts: Sequence[str | None], text_pairs: Sequence[str | None] | None) -> list[Any]:
    """The texts, or the pairs of them, with all white space alike."""
    columns = [texts] if text_pairs is None else [texts, text_pairs]
    spaced = ([None if text is None else " ".join(text.split()) for text in column] for column in columns)
    return list(zip(*spaced, strict=True))
