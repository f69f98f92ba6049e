"""MetaMappingClassifier: adapting as a scikit-learn classifier of texts.

    classifier = MetaMappingClassifier("path/to/published").fit(texts, labels)
    classifier.predict(["it never arrived"])                  # array(["delivery"])
    cross_val_score(MetaMappingClassifier(mapper), texts, labels, cv=5)

``X`` is a column of texts, or two columns for pairs. Labels of any type come back as they were given.
A published folder that is named by its path is opened once in a process, whatever clones there are.
"""

from __future__ import annotations

from collections.abc import Mapping as Map
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import Tags
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, column_or_1d

from metamapping.adaptation.mapper import MetaMapper
from metamapping.config.sources import readable_label
from metamapping.corpus.records import label_text


class MetaMappingClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A classifier that learns a task in closed form, on top of a published encoder.

    ``model``: the path of a published folder, or a ``MetaMapper``. For several processes
    (``n_jobs``) give the path: an encoder is never pickled. ``label_names``: readable words by label.

    After ``fit``: ``classes_``, the labels in sorted order, and ``mapping_``, the task's ``Mapping``,
    which explains and saves itself; there labels are strings.
    """

    def __init__(self, model: str | Path | MetaMapper, label_names: Map[Any, str] | None = None) -> None:
        self.model = model
        self.label_names = label_names

    def fit(self, X: Any, y: Any) -> MetaMappingClassifier:
        """Adapt to texts ``X`` with labels ``y``. Raises ``ValueError`` for what cannot be learned from."""
        if y is None:
            raise ValueError("this classifier requires y to be passed, but the target y is None")
        y = column_or_1d(y, warn=True)
        check_classification_targets(y)
        self.classes_, encoded = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(f"only one class ({self.classes_}): a task needs at least two to choose between")
        mapper = self.model if isinstance(self.model, MetaMapper) else _opened(str(self.model))
        labels = [str(label_text(label)) for label in self.classes_.tolist()]
        if len(set(labels)) < len(labels):
            raise ValueError(f"some labels cannot be told apart: {', '.join(map(repr, self.classes_[:10]))}")
        texts, text_pairs = _columns(X)
        self.mapping_ = mapper.adapt(
            texts,
            [labels[i] for i in encoded],
            text_pairs=text_pairs,
            label_names=self._names(labels),
        )
        return self

    def predict(self, X: Any) -> np.ndarray:
        """The label of each text, ``(num_texts,)``, of the type that was given."""
        best = self.predict_proba(X).argmax(axis=-1)
        predicted: np.ndarray = self.classes_[best]
        return predicted

    def predict_proba(self, X: Any) -> np.ndarray:
        """Float32 ``(num_texts, num_classes)``, columns as ``classes_``; alike in any order of texts."""
        check_is_fitted(self)
        texts, text_pairs, rows = _in_order(*_columns(X))
        place = {label: i for i, label in enumerate(self.mapping_.labels)}
        order = [place[str(label_text(label))] for label in self.classes_.tolist()]
        probabilities: np.ndarray = self.mapping_.predict_proba(texts, text_pairs=text_pairs)[:, order]
        in_given_order: np.ndarray = probabilities[rows]
        return in_given_order

    def _names(self, labels: list[str]) -> dict[str, str]:
        given = dict(self.label_names or {})
        unknown = [label for label in given if label not in set(self.classes_.tolist())]
        if unknown:
            raise ValueError(f"label_names names {unknown[0]!r}, which is not in y: {', '.join(labels[:10])}")
        named = zip(self.classes_.tolist(), labels, strict=True)
        return {label: given.get(value, readable_label(label, {})) for value, label in named}

    def __sklearn_tags__(self) -> Tags:
        tags: Tags = super().__sklearn_tags__()
        tags.input_tags.one_d_array = True
        tags.input_tags.two_d_array = False
        tags.input_tags.string = True
        return tags


@lru_cache(maxsize=4)
def _opened(folder: str) -> MetaMapper:
    return MetaMapper.from_pretrained(folder)


def _columns(X: Any) -> tuple[Any, Any]:
    """The texts of ``X``, and the second texts where it has two columns."""
    if getattr(X, "ndim", 1) == 1:
        return X, None
    values = np.asarray(X)
    if values.ndim != 2 or values.shape[1] not in (1, 2):
        raise ValueError(f"X has the shape {values.shape}: expected one column of texts, or two for pairs")
    return values[:, 0], values[:, 1] if values.shape[1] == 2 else None


def _in_order(texts: Any, text_pairs: Any) -> tuple[Any, Any, Any]:
    """Each text once, sorted, with its pair; and for every text that was given its row among them.

    The last digits of a float32 may depend on where in a batch a text stands; so texts that are given in
    another order are computed in the same one. What is no string is left for the mapping to refuse.
    """
    given = [*zip(texts, texts if text_pairs is None else text_pairs, strict=True)]
    if not given or not all(isinstance(text, str) for pair in given for text in pair):
        return texts, text_pairs, slice(None)
    firsts, seconds = zip(*sorted(set(given)), strict=True)
    row_of = {pair: row for row, pair in enumerate(zip(firsts, seconds, strict=True))}
    return list(firsts), None if text_pairs is None else list(seconds), [row_of[pair] for pair in given]
