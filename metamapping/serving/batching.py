"""Dynamic batching: texts of concurrent requests are encoded together.

    featurizer = BatchingFeaturizer(load_model(folder), on_batch=print)
    featurizer.texts(["where is my parcel"])      # from any thread; waits for its part of a batch

One thread encodes everything that has arrived while the previous batch was running. A single request does
not wait, and under load a batch of many texts costs little more than one of a few (figures:
benchmarks/README.md).
"""

from __future__ import annotations

import queue
import threading
import weakref
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any

import numpy as np

from metamapping.adaptation.featurizer import Featurizer, Words
from metamapping.models.forks import check_not_forked
from metamapping.publishing.loaded_model import LoadedModel

MAX_BATCH_TEXTS = 64  # the largest batch of the encoder

Features = tuple[np.ndarray, np.ndarray]  # of texts or words, and the offsets of the texts in them


@dataclass(frozen=True)
class _Part:
    """The part of a batch that one caller waits for."""

    texts: Sequence[Any]
    text_pairs: Sequence[str] | None
    is_words: bool
    features: Future[Features] = field(default_factory=Future)

    @property
    def kind(self) -> tuple[bool, bool]:
        """Parts of the same kind can be encoded together."""
        return self.is_words, self.text_pairs is not None


class BatchingFeaturizer(Featurizer):
    """A featurizer for many threads.

    Args:
        model: The published encoder.
        on_batch: Called with the number of texts of each batch.
    """

    def __init__(self, model: LoadedModel, *, on_batch: Callable[[int], None]) -> None:
        super().__init__(model, progress=False)
        self._on_batch = on_batch
        self._waiting: queue.SimpleQueue[_Part | None] = queue.SimpleQueue()
        self._cache = threading.local()
        # The thread must not keep an encoder in memory that no task uses any more.
        me = weakref.ref(self)
        threading.Thread(
            target=_encode_forever, args=(self._waiting, me), name="encoder", daemon=True
        ).start()
        weakref.finalize(self, self._waiting.put, None)

    def texts(self, texts: Sequence[str], text_pairs: Sequence[str] | None = None) -> np.ndarray:
        """Encode texts, as ``Featurizer.texts`` does; the call waits for its part of a batch.

        Args:
            texts: The texts, or the first text of each pair.
            text_pairs: The second text of each pair.

        Returns:
            Float32 ``(num_texts, text_dim)``.
        """
        return self._features(_Part(texts, text_pairs, is_words=False))[0]

    def words(self, texts: Sequence[Words]) -> Features:
        """Encode words, as ``Featurizer.words`` does; the call waits for its part of a batch.

        Args:
            texts: The words of each text.

        Returns:
            Features, float32 ``(num_words, word_dim)``, and offsets, int64 ``(num_texts + 1,)``.
        """
        return self._features(_Part(texts, None, is_words=True))

    @contextmanager
    def caching(self) -> Iterator[None]:
        """Within the block, this thread encodes the same texts only once.

        Predictions and probabilities of one request need the same features.
        """
        self._cache.parts = []
        try:
            yield
        finally:
            del self._cache.parts

    def _features(self, part: _Part) -> Features:
        check_not_forked()  # there is no encoder thread in a fork
        cached: list[_Part] | None = getattr(self._cache, "parts", None)
        for known in cached or ():
            if (known.texts, known.text_pairs, known.is_words) == (
                part.texts,
                part.text_pairs,
                part.is_words,
            ):
                return known.features.result()
        if len(part.texts) < MAX_BATCH_TEXTS:
            self._waiting.put(part)
        else:
            self._encode([part])  # It fills a batch by itself, so others need not wait for it.
        features = part.features.result()
        if cached is not None:
            cached.append(part)
        return features

    def encode_waiting(self, first: _Part) -> None:
        """Encode a part, and what else has arrived, as few batches; only the encoder's thread calls it.

        Args:
            first: The part that has arrived first.
        """
        parts = [first]
        while sum(len(part.texts) for part in parts) < MAX_BATCH_TEXTS and not self._waiting.empty():
            if (part := self._waiting.get()) is not None:
                parts.append(part)
        for kind in {part.kind for part in parts}:
            self._encode([part for part in parts if part.kind == kind])

    def _encode(self, parts: list[_Part]) -> None:
        """Set the features of each part, or its error."""
        try:
            encoded = self._encoded(parts)
        except Exception as error:  # The thread must survive, and the caller receives the error.
            if len(parts) == 1:
                parts[0].features.set_exception(error)
                return
            for part in parts:  # One part caused the error: encoded alone, the others succeed.
                self._encode([part])
            return
        for part, features in zip(parts, encoded, strict=True):
            part.features.set_result(features)

    def _encoded(self, parts: list[_Part]) -> list[Features]:
        """Encode all parts as one batch, and split the features again."""
        texts = [text for part in parts for text in part.texts]
        is_words, is_pair = parts[0].kind
        if is_words:
            features, offsets = super().words(texts)
        else:
            pairs = [pair for part in parts for pair in part.text_pairs or ()]
            features = super().texts(texts, pairs if is_pair else None)
            offsets = np.arange(len(texts) + 1)
        self._on_batch(len(texts))
        ends = list(accumulate(len(part.texts) for part in parts))
        spans = (offsets[first : last + 1] for first, last in zip([0, *ends], ends, strict=False))
        return [(features[span[0] : span[-1]], span - span[0]) for span in spans]


def _encode_forever(
    waiting: queue.SimpleQueue[_Part | None], featurizer: weakref.ref[BatchingFeaturizer]
) -> None:
    """The encoder's thread. Who waits for a part holds the featurizer; without it there is nothing to do."""
    while (part := waiting.get()) is not None:
        encoder = featurizer()
        if encoder is None:
            return
        encoder.encode_waiting(part)
        del encoder
