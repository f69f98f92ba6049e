"""Support: the examples that a mapping was computed from, together with their features.

The stored features are enough to compute the mapping again without the encoder: examples can be added
and removed, and the ones that remain are never encoded twice. Items are the units that are classified:
texts, or for ``ner`` words. A ``Support`` is immutable; every change returns a new one.

    support = empty_support(dim=384).plus(Examples(texts, labels, None), features, offsets, targets)
    support = support.without([2])
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from metamapping.corpus.labels import Label


class Examples(NamedTuple):
    """Validated examples: strings with one label each, or for ``ner`` lists of words with BIO tags."""

    texts: list[Any]
    labels: list[Any]
    text_pairs: list[str] | None


class LabelListExamples(Examples):
    """Validated examples of texts that have any number of labels: strings with a list of labels each."""

    __slots__ = ()


@dataclass(frozen=True)
class Support:
    """The examples of one task.

    Attributes:
        texts: The texts as given; an entry is ``None`` if the text was not stored.
        text_pairs: The second texts; ``None`` for a task of single texts.
        features: Float32 ``(num_items, num_views * dim)``, the views side by side.
        targets: Int32 ``(num_items,)``, label slots.
        offsets: Int64 ``(num_examples + 1,)``; example ``i`` has the items ``offsets[i]:offsets[i + 1]``.
        num_views: Number of views in ``features``.
    """

    texts: tuple[Any, ...]
    text_pairs: tuple[str | None, ...] | None
    features: np.ndarray
    targets: np.ndarray
    offsets: np.ndarray
    num_views: int = 1

    def first_view(self, features: np.ndarray) -> np.ndarray:
        """The first view of ``features``, at unit length, so that inner products are cosines.

        Args:
            features: ``(num_items, num_views * dim)``, the support's own or those of other items.

        Returns:
            ``(num_items, dim)``.
        """
        return features[:, : features.shape[1] // self.num_views]

    @property
    def num_examples(self) -> int:
        """Number of examples; for ``ner`` the number of sentences."""
        return len(self.texts)

    @property
    def columns(self) -> tuple[list[str], list[str] | None]:
        """The texts and, for pairs, the second texts, as a featurizer reads them; all of them were stored."""
        pairs = None if self.text_pairs is None else [str(pair) for pair in self.text_pairs]
        return [str(text) for text in self.texts], pairs

    def plus(self, examples: Examples, features: np.ndarray, offsets: np.ndarray, targets: Any) -> Support:
        """A support with ``examples`` appended.

        Args:
            examples: The new examples.
            features: Float32 ``(num_new_items, num_views * dim)``.
            offsets: ``(num_new_examples + 1,)``, starting at 0.
            targets: ``(num_new_items,)``, label slots.

        Raises:
            ValueError: Some examples would be pairs and others single texts.
        """
        self.check_pairs(examples.text_pairs is not None)
        pairs = examples.text_pairs
        return Support(
            texts=(*self.texts, *examples.texts),
            text_pairs=None if pairs is None else (*(self.text_pairs or ()), *pairs),
            features=np.concatenate([self.features, features]),
            targets=np.concatenate([self.targets, np.asarray(targets, np.int32)]),
            offsets=np.concatenate([self.offsets, self.offsets[-1] + offsets[1:]]),
            num_views=self.num_views,
        )

    def without(self, examples: Collection[int]) -> Support:
        """A support without the examples at these positions.

        Args:
            examples: Positions of examples, from 0.
        """
        is_kept = np.ones(self.num_examples, bool)
        is_kept[list(examples)] = False
        lengths = np.diff(self.offsets)
        is_kept_item = np.repeat(is_kept, lengths)
        kept = np.flatnonzero(is_kept)
        pairs = self.text_pairs
        return Support(
            texts=tuple(self.texts[i] for i in kept),
            text_pairs=None if pairs is None else tuple(pairs[i] for i in kept),
            features=self.features[is_kept_item],
            targets=self.targets[is_kept_item],
            offsets=np.concatenate([[0], np.cumsum(lengths[is_kept])]).astype(np.int64),
            num_views=self.num_views,
        )

    def with_targets(self, targets: np.ndarray) -> Support:
        """A support of the same items with other label slots.

        Args:
            targets: Integers ``(num_items,)``.
        """
        return replace(self, targets=targets.astype(np.int32))

    def check_pairs(self, is_pair: bool) -> None:
        """Check that texts of this kind fit the examples that are already there.

        Args:
            is_pair: Whether the new texts come with second texts.

        Raises:
            ValueError: Pairs for a task of single texts, or single texts for a task of pairs.
        """
        if self.num_examples and is_pair != (self.text_pairs is not None):
            raise ValueError(
                "the task's examples have no second text, but text_pairs are given: leave them out"
                if is_pair
                else "the task's examples are pairs of texts: give text_pairs"
            )


@dataclass(frozen=True)
class Outside:
    """Examples that belong to none of a task's labels.

    Attributes:
        label: How they are labelled, and what texts outside of the task are answered with.
        support: The examples; their targets mean nothing.
        threshold: The threshold ``auto`` of a task that was saved, so that predicting need not find it again;
            ``None`` if it has to be found.
    """

    label: Label
    support: Support
    threshold: float | None = None


def empty_support(dim: int, num_views: int = 1) -> Support:
    """A support without any examples.

    Args:
        dim: Width of one view.
        num_views: Number of views of each item.
    """
    no_features = np.zeros((0, num_views * dim), np.float32)
    return Support((), None, no_features, np.zeros(0, np.int32), np.zeros(1, np.int64), num_views)


def text_support(features: np.ndarray, targets: np.ndarray, num_views: int = 1) -> Support:
    """A support of texts that are known by their features alone.

    Args:
        features: Float32 ``(num_texts, num_views * dim)``.
        targets: Label slots, integers ``(num_texts,)``.
        num_views: Number of views in ``features``.
    """
    count = len(features)
    return Support((None,) * count, None, features, targets.astype(np.int32), np.arange(count + 1), num_views)
