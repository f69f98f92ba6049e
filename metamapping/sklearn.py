"""MetaMappingClassifier: few-shot adaptation as a scikit-learn text classifier.

    classifier = MetaMappingClassifier("path/to/published").fit(texts, labels)
    classifier.predict(["it never arrived"])                  # array(["delivery"])
    cross_val_score(MetaMappingClassifier(mapper), texts, labels, cv=5)
    classifier.save("classifiers/orders"); MetaMappingClassifier.load("classifiers/orders")

``X`` is a column of texts, or two columns for pairs. Predicted labels have the type of the labels in
``y``. Where texts have any number of labels, ``y`` is an indicator matrix or a column of lists, and
predictions are an indicator matrix. A published folder that is given by its path is loaded once in each
process, for all clones.
"""

from __future__ import annotations

from collections import abc
from functools import lru_cache
from pathlib import Path
from typing import Any, Self

import numpy as np

from metamapping.adaptation.grades import best_grades
from metamapping.adaptation.inputs.classifier_inputs import (
    check_classes,
    class_like,
    task_labels,
    text_columns,
    unique_sorted,
    unwrapped,
)
from metamapping.adaptation.mapper import MetaMapper
from metamapping.adaptation.multi_label.multi_label_targets import LabelTargets, as_indicator, read_targets
from metamapping.adaptation.saved.classifier_folder import (
    CLASSIFIER,
    FittedClassifier,
    read_classifier,
    write_classifier,
)
from metamapping.adaptation.saved.task_folder import CLASSIFIER_TASK, read_task
from metamapping.adaptation.task_mapping import Mapping
from metamapping.config.labels import label_keys, label_text
from metamapping.config.sources import readable_label
from metamapping.corpus.labels import Label
from metamapping.errors import MissingExtraError, StoreError, listed

try:
    from sklearn.base import BaseEstimator, ClassifierMixin
    from sklearn.utils import Tags
    from sklearn.utils.multiclass import check_classification_targets
    from sklearn.utils.validation import check_is_fitted, column_or_1d
except ModuleNotFoundError as error:
    raise MissingExtraError(
        "metamapping.sklearn needs scikit-learn, which is not installed: pip install 'metamapping[sklearn]'",
        name=error.name,
    ) from error


class MetaMappingClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A text classifier that learns a task in closed form, on top of a published encoder.

    An empty text is out of scope, or gets the most frequent label of ``y`` if nothing is: unlike
    ``Mapping.predict``, an estimator of scikit-learn must return a class. ``fit`` refuses empty texts with
    their positions.

    An encoder is not pickled: ``save`` and ``load`` keep a fitted classifier, and ``n_jobs`` needs the path
    of the published folder as ``model``, which every process loads once.

    Args:
        model: The path of a published folder, or a ``MetaMapper``.
        label_names: Readable words by label.
        tune: Whether to tune the encoder to the task, as for ``MetaMapper.adapt``: ``True``, or the time for
            it in seconds.
        ordinal: The labels in their order, if they are grades; all of them occur in ``y``.
        out_of_scope: The label of texts that belong to none of the others, as for ``MetaMapper.adapt``.

    Attributes:
        classes_: The labels in sorted order, ``out_of_scope`` among them, set by ``fit``.
        mapping_: The task's ``Mapping``, set by ``fit``, which can explain its predictions and be saved.
            Its labels are strings, booleans or numbers, as in ``y``; those of other types are strings.
    """

    def __init__(
        self,
        model: str | Path | MetaMapper,
        label_names: abc.Mapping[Any, str] | None = None,
        tune: bool | float = False,
        ordinal: abc.Sequence[Any] | None = None,
        out_of_scope: Any = None,
    ) -> None:
        self.model = model
        self.label_names = label_names
        self.tune = tune
        self.ordinal = ordinal
        self.out_of_scope = out_of_scope

    def fit(self, X: Any, y: Any) -> MetaMappingClassifier:
        """Adapt to labelled texts.

        Args:
            X: Texts ``(num_texts,)``, or one or two columns of texts ``(num_texts, 1 or 2)``.
            y: Labels ``(num_texts,)`` of any type. Where a text has any number of labels: a matrix of zeros
                and ones ``(num_texts, num_labels)``, whose labels are the column names of a data frame and
                the column numbers of an array; or a column of lists of labels.

        Raises:
            ValueError: The examples cannot be learned from.
        """
        if y is None:
            raise ValueError("this classifier requires y to be passed, but the target y is None")
        if (several := read_targets(y)) is not None:
            return self._fit_several(X, several)
        y = unwrapped(y)
        check_classes(y)
        y = column_or_1d(y, warn=True)
        check_classification_targets(y)
        given = y if self.out_of_scope is None else np.append(y, class_like(self.out_of_scope, y))
        self.classes_, encoded = np.unique(given, return_inverse=True)
        encoded = encoded[: len(y)]
        if len(self.classes_) < (2 if self.out_of_scope is None else 3):
            raise ValueError(f"only one class ({self.classes_}): a task needs at least two to choose between")
        mapper = self.model if isinstance(self.model, MetaMapper) else _load_mapper(str(self.model))
        labels = task_labels(self.classes_)
        if len(set(labels)) < len(labels):
            shown = ", ".join(map(repr, self.classes_[:10]))
            raise ValueError(f"some labels are equal when written as strings: {shown}")
        texts, text_pairs = text_columns(X)
        mapping = mapper.adapt(
            texts,
            [labels[i] for i in encoded],
            text_pairs=text_pairs,
            label_names=self._readable_names([label for label in labels if label != self._outside(labels)]),
            tune=self.tune,
            ordinal=None if self.ordinal is None else self._grades(labels),
            out_of_scope=self._outside(labels),
        )
        if self.out_of_scope is not None:
            _check_has_threshold(mapping)
        self.mapping_ = mapping
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Predict the label of each text.

        Args:
            X: Texts, as for ``fit``.

        Returns:
            Labels ``(num_texts,)`` of the type of ``y``; where a text has any number of labels, a matrix of
            zeros and ones ``(num_texts, num_classes)``.
        """
        check_is_fitted(self)
        if self.mapping_.is_multi_label:
            texts, text_pairs, rows = unique_sorted(*text_columns(X))
            lists = self.mapping_.predict(texts, text_pairs=text_pairs)
            indicator: np.ndarray = as_indicator(lists, task_labels(self.classes_))[rows]
            return indicator
        if self.mapping_.out_of_scope is not None:
            return self._predict_in_scope(X)
        probabilities = self.predict_proba(X)
        best = probabilities.argmax(axis=-1)
        if self.mapping_.is_ordinal:
            slot_of = {label: i for i, label in enumerate(task_labels(self.classes_))}
            order = np.array([slot_of[label] for label in self.mapping_.labels])
            best = order[best_grades(probabilities[:, order])]
        predicted: np.ndarray = self.classes_[best]
        return predicted

    def predict_proba(self, X: Any) -> np.ndarray:
        """Predict the probability of each label; the result does not depend on the order of the texts.

        Args:
            X: Texts, as for ``fit``.

        Returns:
            Float32 ``(num_texts, num_classes)``, columns in the order of ``classes_``. Rows sum to 1, unless
            a text has any number of labels: then the probabilities are independent, and 0 for a class that
            no text of ``y`` has. The probability of ``out_of_scope`` assumes that half of all texts are; what
            is predicted is decided by a threshold, see ``Mapping.find_threshold``.
        """
        check_is_fitted(self)
        texts, text_pairs, rows = unique_sorted(*text_columns(X))
        if self.mapping_.out_of_scope is not None:
            scoped: np.ndarray = self._scoped_probabilities(texts, text_pairs)[rows]
            return scoped
        position_of = {label: i for i, label in enumerate(self.mapping_.labels)}
        known = self.mapping_.predict_proba(texts, text_pairs=text_pairs)
        # One more column is for the classes of an indicator matrix that no text has.
        known = np.concatenate([known, np.zeros_like(known[:, :1])], axis=1)
        order = [position_of.get(label, -1) for label in task_labels(self.classes_)]
        probabilities: np.ndarray = known[:, order]
        in_given_order: np.ndarray = probabilities[rows]
        return in_given_order

    def _predict_in_scope(self, X: Any) -> np.ndarray:
        """The labels of texts of which some may be out of scope, as empty ones are."""
        texts, text_pairs, rows = unique_sorted(*text_columns(X))
        outside: Any = self.mapping_.out_of_scope
        labels = self.mapping_.predict(texts, text_pairs=text_pairs)
        slot_of = {label: i for i, label in enumerate(task_labels(self.classes_))}
        answers = [outside if label is None else label for label in labels]
        slots = np.asarray([slot_of[label] for label in answers], np.intp)
        predicted: np.ndarray = self.classes_[slots[rows]]
        return predicted

    def _scoped_probabilities(self, texts: Any, text_pairs: Any) -> np.ndarray:
        """The probabilities of all classes, that of texts out of scope among them; rows sum to 1."""
        mapping, labels = self.mapping_, task_labels(self.classes_)
        answers = mapping.answer(texts, text_pairs=text_pairs)
        known = answers.probabilities
        best = best_grades(known) if mapping.is_ordinal else known.argmax(axis=-1)
        own = known[np.arange(len(best)), best]
        in_scope = np.minimum(answers.confidence / own, 1.0)
        probabilities = np.zeros((len(known), len(labels)), np.float32)
        probabilities[:, [labels.index(label) for label in mapping.labels]] = in_scope[:, None] * known
        outside: Any = mapping.out_of_scope
        probabilities[:, labels.index(outside)] = 1.0 - in_scope
        return probabilities

    def save(self, folder: str | Path, *, keep_texts: bool = True) -> Path:
        """Save the fitted classifier as a folder, atomically; an older one in the same folder is replaced.

        The folder contains the task (``task/``, which ``Mapping.load`` and the command line read), and
        ``classifier.json`` with the classes and parameters. It contains no code and no pickle.

        Args:
            folder: The folder to write.
            keep_texts: Whether to store the examples' texts, as for ``Mapping.save``.

        Returns:
            The absolute path of the folder.

        Raises:
            ValueError: The folder contains something else, or the labels are not strings, booleans or
                numbers.
        """
        check_is_fitted(self)
        fitted = FittedClassifier(self.classes_, self.label_names, self.tune, self.ordinal, self.out_of_scope)
        return write_classifier(Path(folder), fitted, self.mapping_, keep_texts=keep_texts)

    @classmethod
    def load(cls, folder: str | Path, model: str | Path | MetaMapper | None = None) -> Self:
        """Load a saved classifier, fitted and with its parameters.

        Args:
            folder: The folder of the classifier.
            model: The published encoder that it was fitted with, as for the class. Default: the published
                folder that the saved task names.

        Raises:
            FileNotFoundError: The folder is not a saved classifier, or its encoder is missing.
            StoreError: The folder is damaged, or the classifier was fitted with another encoder.
        """
        folder = Path(folder)
        saved = read_classifier(folder)
        model = read_task(folder / CLASSIFIER_TASK).model_folder if model is None else model
        mapper = model if isinstance(model, MetaMapper) else _load_mapper(str(model))
        classifier = cls(
            model,
            label_names=saved.label_names,
            tune=saved.tune,
            ordinal=saved.ordinal,
            out_of_scope=saved.out_of_scope,
        )
        classifier.mapping_ = Mapping.load(folder / CLASSIFIER_TASK, mapper)
        classifier.classes_ = saved.classes
        outside = {classifier.mapping_.out_of_scope} - {None}
        found, known = set(task_labels(saved.classes)), set(classifier.mapping_.labels) | outside
        if not known <= found or (known != found and not classifier.mapping_.is_multi_label):
            raise StoreError(f"{folder / CLASSIFIER} has other classes than its task: save it again")
        return classifier

    def _fit_several(self, X: Any, targets: LabelTargets) -> MetaMappingClassifier:
        """Adapt to texts that have any number of labels."""
        mapper = self.model if isinstance(self.model, MetaMapper) else _load_mapper(str(self.model))
        texts, text_pairs = text_columns(X)
        names = self._readable_names(task_labels(targets.classes))
        given = {str(label_text(label)) for row in targets.labels for label in row}
        self.classes_ = targets.classes
        self.mapping_ = mapper.adapt(
            texts,
            targets.labels,
            text_pairs=text_pairs,
            label_names={text: name for text, name in names.items() if text in given},
            multi_label=True,
            tune=self.tune,
            ordinal=self.ordinal,
            out_of_scope=self.out_of_scope,
        )
        return self

    def _readable_names(self, labels: list[Label]) -> dict[str, str]:
        """Readable words by label as text; ``labels`` are the classes as labels of the task."""
        given = label_keys(self.label_names or {})
        texts = [str(label_text(label)) for label in labels]
        unknown = [label for label in given if label not in texts]
        if unknown:
            raise ValueError(
                f"label_names has a name for {unknown[0]!r}, which is not in y: "
                f"{', '.join(map(str, labels[:10]))}"
            )
        return {text: given.get(text, readable_label(text, {})) for text in texts}

    def _outside(self, labels: list[Label]) -> Label | None:
        """The label of the task that means out of scope."""
        if self.out_of_scope is None:
            return None
        text = label_text(self.out_of_scope)
        return next(label for label in labels if label_text(label) == text)

    def _grades(self, labels: list[Label]) -> list[Label]:
        """The labels of the task in the order of ``ordinal``."""
        labels = [label for label in labels if label != self._outside(labels)]
        by_text = {label_text(label): label for label in labels}
        given = [] if self.ordinal is None else list(self.ordinal)
        grades = [label_text(grade) for grade in given]
        if sorted(map(str, grades)) != sorted(map(str, by_text)):
            raise ValueError(
                f"ordinal is {listed(given)} but y has {listed(labels)}: give each label of y "
                "once, in the order of the grades"
            )
        return [by_text[grade] for grade in grades]

    def __sklearn_tags__(self) -> Tags:
        tags: Tags = super().__sklearn_tags__()
        tags.input_tags.one_d_array = True
        tags.input_tags.two_d_array = False
        tags.input_tags.string = True
        tags.classifier_tags.multi_label = True
        return tags


def _check_has_threshold(mapping: Mapping) -> None:
    """Raise ``ValueError`` where no threshold can be found, below which texts are out of scope."""
    try:
        mapping.find_threshold()
    except ValueError as error:
        wanted = "grades need examples out of scope" if mapping.is_ordinal else "a label needs two examples"
        raise ValueError(
            f"out_of_scope is answered below a threshold that is found by leaving examples out, and {wanted} "
            "for that: give more, or leave out_of_scope out"
        ) from error


@lru_cache(maxsize=4)
def _load_mapper(folder: str) -> MetaMapper:
    return MetaMapper.from_pretrained(folder)
