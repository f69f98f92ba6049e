"""Dynamic batching: texts of concurrent requests are encoded together.

    featurizer = BatchingFeaturizer(load_model(folder), on_batch=print)
    featurizer.texts(["where is my parcel"])      # from any thread; waits for its part of a batch
    await featurizer.answer(texts, None, predict) # from an event loop: predict() finds the features cached

One thread encodes everything that has arrived while the previous batch was running. A single request does
not wait. If the previous batch had texts of several callers, their next ones are on their way: the batch is
held while texts keep arriving, for at most half as long as the previous batch took. Under load a batch of
many texts costs little more than one of a few (figures: benchmarks/README.md).

The requests of a batch that come from an event loop are answered by one thread, one after the other: waking a
thread for each costs more than what it computes.
"""

from __future__ import annotations

import asyncio
import queue
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any, NamedTuple, TypeVar

import numpy as np
from tokenizers import Tokenizer

from metamapping.adaptation.featurizer import Featurizer, Words
from metamapping.models.forks import check_not_forked
from metamapping.models.weight_delta import WeightDelta
from metamapping.publishing.loaded_model import LoadedModel

MAX_BATCH_TEXTS = 64  # the largest batch of the encoder
_ARRIVAL_SECONDS = 0.003  # texts of callers that received their results a moment ago follow within this time
_MAX_WAIT_SECONDS = 0.05
# Answers of one batch that take long, such as the first ones of a large task, do not hold up other batches.
_ANSWERING_THREADS = 4

T = TypeVar("T")

Features = tuple[np.ndarray, np.ndarray]  # of texts or words, and the offsets of the texts in them


class Answer(NamedTuple):
    """What an event loop waits for.

    Attributes:
        function: Called in another thread when the texts are encoded.
        loop: The event loop.
        result: What the function returned or raised; only the loop's thread may set it.
    """

    function: Callable[[], Any]
    loop: asyncio.AbstractEventLoop
    result: asyncio.Future[Any]


@dataclass(frozen=True)
class Part:
    """The part of a batch that one caller waits for.

    Attributes:
        texts: Texts, or lists of words.
        text_pairs: The second texts of pairs.
        is_words: Whether features of words are wanted.
        encoder: What encodes it, if that is one tuned to a task; ``None`` for the untuned one.
        answer: What is computed from it, if an event loop waits for that.
        features: The result.
    """

    texts: Sequence[Any]
    text_pairs: Sequence[str] | None
    is_words: bool
    encoder: BatchingFeaturizer | None = None
    answer: Answer | None = None
    features: Future[Features] = field(default_factory=Future)

    @property
    def kind(self) -> tuple[bool, bool, int]:
        """Parts of the same kind can be encoded together."""
        return self.is_words, self.text_pairs is not None, id(self.encoder)


class BatchingFeaturizer(Featurizer):
    """A featurizer for many threads.

    Args:
        model: The published encoder.
        on_batch: Called with the number of texts of each batch.
        untuned: For an encoder that was tuned to a task, the featurizer whose thread it shares.
        windows: As for ``Featurizer``.
    """

    def __init__(
        self,
        model: LoadedModel,
        *,
        on_batch: Callable[[int], None],
        untuned: BatchingFeaturizer | None = None,
        windows: Tokenizer | None = None,
    ) -> None:
        super().__init__(model, progress=False, windows=windows)
        self._on_batch = on_batch
        # The thread lives as long as the untuned featurizer.
        self._untuned = untuned
        self._waiting: queue.SimpleQueue[Part | None] = (
            queue.SimpleQueue() if untuned is None else untuned._waiting
        )
        self._cache: Any = threading.local() if untuned is None else untuned._cache
        self._answering: ThreadPoolExecutor = (
            ThreadPoolExecutor(_ANSWERING_THREADS, "answers") if untuned is None else untuned._answering
        )
        if untuned is not None:
            return
        weakref.finalize(self, self._answering.shutdown, wait=False)
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
        return self._features(Part(texts, text_pairs, False, self._encoder))[0]

    def words(self, texts: Sequence[Words]) -> Features:
        """Encode words, as ``Featurizer.words`` does; the call waits for its part of a batch.

        Args:
            texts: The words of each text.

        Returns:
            Features, float32 ``(num_words, word_dim)``, and offsets, int64 ``(num_texts + 1,)``.
        """
        return self._features(Part(texts, None, True, self._encoder))

    async def answer(
        self, texts: Sequence[str], text_pairs: Sequence[str] | None, function: Callable[[], T]
    ) -> T:
        """Encode texts, and then call a function in another thread, in which their features are cached.

        Args:
            texts: The texts, or the first text of each pair.
            text_pairs: The second text of each pair, as many.
            function: What encodes these texts and computes something from their features.

        Returns:
            What the function returns; what it raises is raised.
        """
        check_not_forked()
        if len(texts) >= MAX_BATCH_TEXTS:
            # It takes long, and must not occupy a thread that answers batches.
            return await asyncio.to_thread(function)
        loop = asyncio.get_running_loop()
        answer = Answer(function, loop, loop.create_future())
        self._waiting.put(Part(texts, text_pairs, False, self._encoder, answer))
        result: T = await answer.result
        return result

    def tuned(self, delta: WeightDelta) -> BatchingFeaturizer:
        """A featurizer whose encoder was tuned to a task; it shares the thread and the cache of this one.

        Args:
            delta: What tuning changed.

        Raises:
            ValueError: The delta is that of another encoder.
        """
        tuned = super().tuned(delta)
        return BatchingFeaturizer(
            tuned.model, on_batch=self._on_batch, untuned=self._untuned or self, windows=self._windows
        )

    @property
    def _encoder(self) -> BatchingFeaturizer | None:
        return None if self._untuned is None else self

    @contextmanager
    def caching(self) -> Iterator[None]:
        """Within the block, this thread encodes the same texts only once.

        Predictions and probabilities of one request need the same features.
        """
        if hasattr(self._cache, "parts"):  # within another block
            yield
            return
        self._cache.parts = []
        try:
            yield
        finally:
            del self._cache.parts

    def _features(self, part: Part) -> Features:
        check_not_forked()  # there is no encoder thread in a fork
        cached: list[Part] | None = getattr(self._cache, "parts", None)
        for known in cached or ():
            if (known.texts, known.text_pairs, known.kind) == (part.texts, part.text_pairs, part.kind):
                return known.features.result()
        if len(part.texts) < MAX_BATCH_TEXTS:
            self._waiting.put(part)
        else:
            self._encode([part])  # It fills a batch by itself, so others need not wait for it.
        features = part.features.result()
        if cached is not None:
            cached.append(part)
        return features

    def encode_parts(self, parts: Sequence[Part]) -> None:
        """Encode parts as few batches; only the encoder's thread calls it.

        Args:
            parts: What has arrived.
        """
        for kind in {part.kind for part in parts}:
            same = [part for part in parts if part.kind == kind]
            (same[0].encoder or self)._encode(same)
        if answered := [part for part in parts if part.answer is not None]:
            self._answering.submit(self._answer_all, answered)

    def _answer_all(self, parts: list[Part]) -> None:
        """Compute the answers of parts that are encoded."""
        for part in parts:
            assert part.answer is not None
            with self.caching():
                self._cache.parts.append(part)
                outcome: Future[Any] = Future()
                try:
                    outcome.set_result(part.answer.function())
                except Exception as error:
                    outcome.set_exception(error)
            with suppress(RuntimeError):  # the loop is closed: the server has ended
                part.answer.loop.call_soon_threadsafe(_settle, part.answer.result, outcome)

    def _encode(self, parts: list[Part]) -> None:
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

    def _encoded(self, parts: list[Part]) -> list[Features]:
        """Encode all parts as one batch, and split the features again."""
        texts = [text for part in parts for text in part.texts]
        is_words, is_pair, _ = parts[0].kind
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


def _settle(waiting: asyncio.Future[Any], outcome: Future[Any]) -> None:
    """Give an event loop what it waits for, unless its request was cancelled."""
    if waiting.done():
        return
    error = outcome.exception()
    if error is None:
        waiting.set_result(outcome.result())
    else:
        waiting.set_exception(error)


def gather(first: Part, waiting: queue.SimpleQueue[Part | None], wait_seconds: float) -> list[Part]:
    """Take what is there, or arrives soon, into the batch of a part.

    Args:
        first: The first part of the batch.
        waiting: The parts that follow; ``None`` is the end of all.
        wait_seconds: How long the batch is held at most; 0 for what is there.

    Returns:
        Parts of together up to ``MAX_BATCH_TEXTS`` texts; the last may exceed it.
    """
    parts = [first]
    end = time.monotonic() + wait_seconds
    while sum(len(part.texts) for part in parts) < MAX_BATCH_TEXTS:
        patience = min(_ARRIVAL_SECONDS, end - time.monotonic())
        try:
            part = waiting.get(timeout=patience) if patience > 0 else waiting.get_nowait()
        except queue.Empty:
            break
        if part is None:
            waiting.put(None)
            break
        parts.append(part)
    return parts


def _encode_forever(
    waiting: queue.SimpleQueue[Part | None], featurizer: weakref.ref[BatchingFeaturizer]
) -> None:
    """The encoder's thread. Who waits for a part holds the featurizer; without it there is nothing to do."""
    wait_seconds = 0.0
    while (first := waiting.get()) is not None:
        parts = gather(first, waiting, wait_seconds)
        encoder = featurizer()
        if encoder is None:
            return
        start = time.monotonic()
        encoder.encode_parts(parts)
        del encoder
        is_alone = len(parts) == 1
        wait_seconds = 0.0 if is_alone else min(_MAX_WAIT_SECONDS, (time.monotonic() - start) / 2)
