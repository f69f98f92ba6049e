"""Support: the examples that a mapping was computed from, with their features.

What is kept is enough to compute the mapping again without the encoder: examples come and go, and
those that stay are never encoded twice. Items are what is classified: texts, or for ``ner`` words.

    support = empty_support(dim=384).plus(Examples(texts, labels, None), features, offsets, targets)
    support = support.without([2])
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np


class Examples(NamedTuple):
    """Checked examples: strings with one label each, or for ``ner`` lists of words with BIO tags."""

    texts: list[Any]
    labels: list[Any]
    text_pairs: list[str] | None


@dataclass(frozen=True)
class Support:
    """The examples of one task; never changed, only replaced.

    ``texts``: as given, ``None`` where they were not kept. ``features``: float32 ``(num_items, width)``,
    ``num_views`` of one width side by side. ``targets``: int32 ``(num_items,)``, label slots.
    ``offsets``: ``(num_examples + 1,)``; items ``offsets[i]:offsets[i + 1]`` are those of example ``i``.
    """

    texts: tuple[Any, ...]
    text_pairs: tuple[str | None, ...] | None
    features: np.ndarray
    targets: np.ndarray
    offsets: np.ndarray
    num_views: int = 1

    def main(self, features: np.ndarray) -> np.ndarray:
        """The first view of features, whose products are cosines: ``(num_items, dim)``."""
        return features[:, : features.shape[1] // self.num_views]

    @property
    def num_examples(self) -> int:
        """Number of examples; for ``ner`` of lists of words."""
        return len(self.texts)

    def plus(self, examples: Examples, features: np.ndarray, offsets: np.ndarray, targets: Any) -> Support:
        """These examples and new ones. Raises ``ValueError`` where only some are pairs."""
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
        """The same without the examples of these numbers."""
        stays = np.ones(self.num_examples, bool)
        stays[list(examples)] = False
        lengths = np.diff(self.offsets)
        items = np.repeat(stays, lengths)
        kept = np.flatnonzero(stays)
        pairs = self.text_pairs
        return Support(
            texts=tuple(self.texts[i] for i in kept),
            text_pairs=None if pairs is None else tuple(pairs[i] for i in kept),
            features=self.features[items],
            targets=self.targets[items],
            offsets=np.concatenate([[0], np.cumsum(lengths[stays])]).astype(np.int64),
            num_views=self.num_views,
        )

    def with_targets(self, targets: np.ndarray) -> Support:
        """The same items with other label slots."""
        return replace(self, targets=targets.astype(np.int32))

    def check_pairs(self, is_pair: bool) -> None:
        """Refuse pairs for a task of single texts, and single texts for a task of pairs."""
        if self.num_examples and is_pair != (self.text_pairs is not None):
            raise ValueError(
                "the task's examples have no second text, but text_pairs are given: leave them out"
                if is_pair
                else "the task's examples are pairs of texts: give text_pairs"
            )


def empty_support(dim: int, num_views: int = 1) -> Support:
    """No examples yet."""
    nothing = np.zeros((0, num_views * dim), np.float32)
    return Support((), None, nothing, np.zeros(0, np.int32), np.zeros(1, np.int64), num_views)
