"""Passes: what concurrent requests have to encode goes through the encoder together.

    featurizer = SharedPasses(read_published(folder), on_pass=print)
    featurizer.texts(["where is my parcel"])      # from any thread; waits for its share of a pass

One thread encodes whatever has gathered while the last pass ran: alone, a request waits for nobody, and
under load a pass over many texts costs little more than one over a few (figures: benchmarks/README.md).
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any

import numpy as np

from metamapping.adaptation.featurizer import Featurizer, Words
from metamapping.publishing.published_model import PublishedModel

MOST_TEXTS = 64  # of a pass: as many as the encoder takes at once

Features = tuple[np.ndarray, np.ndarray]  # of texts or words, and the texts' offsets among them


@dataclass(frozen=True)
class _Share:
    """What one caller waits for."""

    texts: Sequence[Any]
    text_pairs: Sequence[str] | None
    is_words: bool
    features: Future[Features] = field(default_factory=Future)

    @property
    def kind(self) -> tuple[bool, bool]:
        """Shares of one kind can be encoded together."""
        return self.is_words, self.text_pairs is not None


class SharedPasses(Featurizer):
    """A featurizer for many threads. ``on_pass`` is told how many texts each pass took."""

    def __init__(self, model: PublishedModel, *, on_pass: Callable[[int], None]) -> None:
        super().__init__(model, progress=False)
        self._on_pass = on_pass
        self._waiting: queue.SimpleQueue[_Share] = queue.SimpleQueue()
        self._remembered = threading.local()
        threading.Thread(target=self._encode_forever, name="encoder", daemon=True).start()

    def texts(self, texts: Sequence[str], text_pairs: Sequence[str] | None = None) -> np.ndarray:
        """As ``Featurizer.texts``."""
        return self._features(_Share(texts, text_pairs, is_words=False))[0]

    def words(self, texts: Sequence[Words]) -> Features:
        """As ``Featurizer.words``."""
        return self._features(_Share(texts, None, is_words=True))

    @contextmanager
    def remembering(self) -> Iterator[None]:
        """Within it this thread encodes the same texts once: labels and probabilities need the same."""
        self._remembered.shares = []
        try:
            yield
        finally:
            del self._remembered.shares

    def _features(self, share: _Share) -> Features:
        shares: list[_Share] | None = getattr(self._remembered, "shares", None)
        for known in shares or ():
            if (known.texts, known.text_pairs, known.is_words) == (
                share.texts,
                share.text_pairs,
                share.is_words,
            ):
                return known.features.result()
        if len(share.texts) < MOST_TEXTS:
            self._waiting.put(share)
        else:
            self._encode([share])  # It fills a pass by itself, and others need not wait for it.
        features = share.features.result()
        if shares is not None:
            shares.append(share)
        return features

    def _encode_forever(self) -> None:
        while True:
            shares = [self._waiting.get()]
            while sum(len(share.texts) for share in shares) < MOST_TEXTS and not self._waiting.empty():
                shares.append(self._waiting.get())
            for kind in {share.kind for share in shares}:
                self._encode([share for share in shares if share.kind == kind])

    def _encode(self, shares: list[_Share]) -> None:
        """Give each share its features, or its error."""
        try:
            encoded = self._encoded(shares)
        except Exception as error:  # The thread lives on, and whoever waits is told.
            if len(shares) == 1:
                shares[0].features.set_exception(error)
                return
            for share in shares:  # One of them is to blame: the others get theirs.
                self._encode([share])
            return
        for share, features in zip(shares, encoded, strict=True):
            share.features.set_result(features)

    def _encoded(self, shares: list[_Share]) -> list[Features]:
        texts = [text for share in shares for text in share.texts]
        is_words, is_pair = shares[0].kind
        if is_words:
            features, offsets = super().words(texts)
        else:
            pairs = [pair for share in shares for pair in share.text_pairs or ()]
            features = super().texts(texts, pairs if is_pair else None)
            offsets = np.arange(len(texts) + 1)
        self._on_pass(len(texts))
        ends = list(accumulate(len(share.texts) for share in shares))
        spans = (offsets[first : last + 1] for first, last in zip([0, *ends], ends, strict=False))
        return [(features[span[0] : span[-1]], span - span[0]) for span in spans]
