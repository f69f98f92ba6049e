"""Featurizer: texts as users give them → features, cleaned and tokenized as in training.

    featurizer = Featurizer(read_published(folder))
    x = featurizer.texts(["where is my parcel?"])            # float32 (1, text_dim)
    x, offsets = featurizer.words([["Ada", "wrote"]])        # float32 (2, word_dim) and [0, 2]

Texts are taken a few thousand at a time, each part in order of length: memory stays bounded and
little is spent on padding. The encoder is never changed, so any number of threads may call.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa

from metamapping.corpus.cleaning import clean_texts, clean_words
from metamapping.corpus.ragged import Ragged
from metamapping.corpus.tokens import Encoded, encode_texts, encode_words, load_tokenizer
from metamapping.corpus.word_shapes import shapes_of, windows_of
from metamapping.episodes.batches import LABEL_LENGTH
from metamapping.models.variables import model_variables
from metamapping.publishing.published_model import PublishedModel
from metamapping.storage.manifest import fingerprint

TEXTS_PER_PART = 8_192
_TEXTS_WITHOUT_PROGRESS = 2_000

Words = Sequence[str]
Progress = Callable[[int], None]


class Featurizer:
    """A published encoder with its tokenizer and cleaning.

    ``progress``: whether a bar on standard error shows how far encoding has come. ``None``: for more
    than 2,000 texts, where standard error is a terminal.
    """

    def __init__(self, model: PublishedModel, *, progress: bool | None = None) -> None:
        self.model = model
        self._progress = progress
        self._tokenizer = load_tokenizer(model.tokenizer_folder, max_length_tokens=model.max_length_tokens)

    @property
    def dim(self) -> int:
        """Width of a view: of a name's feature."""
        return self.model.encoder.dim

    @property
    def text_dim(self) -> int:
        """Width of a text's features, several views (``models.encoder``) side by side."""
        return self.model.encoder.text_dim

    @property
    def word_dim(self) -> int:
        """Width of a word's features, two views side by side."""
        return self.model.encoder.word_dim

    @cached_property
    def fingerprint(self) -> str:
        """16 hexadecimal digits over all that decides a feature: weights, tokenizer, cleaning."""
        variables = model_variables(self.model.encoder, self.model.mapping)
        arrays = [_array_fingerprint(variables[name].numpy()) for name in sorted(variables)]
        cleaning = self.model.cleaning.model_dump(mode="json")
        return fingerprint([arrays, self._tokenizer.to_str(), self.model.max_length_tokens, cleaning])

    def texts(self, texts: Sequence[str], text_pairs: Sequence[str] | None = None) -> np.ndarray:
        """Float32 ``(num_texts, text_dim)``; of a pair the second text in the context of the first."""
        features = np.zeros((len(texts), self.text_dim), np.float32)
        with self._bar(len(texts)) as advance:
            for part in parts_of(len(texts)):
                pairs = None if text_pairs is None else self._clean(text_pairs[part])
                encoded = encode_texts(self._tokenizer, self._clean(texts[part]), pairs)
                features[part] = self.model.encoder.encode(*_ragged(encoded), on_progress=advance)
        return features

    def words(self, texts: Sequence[Words]) -> tuple[np.ndarray, np.ndarray]:
        """Float32 ``(num_words, word_dim)`` of all words in order, and the texts' offsets among them.

        Texts that are longer than the encoder reads are encoded in several pieces. A word without
        any token of its own has zeros.
        """
        offsets = np.concatenate([[0], np.cumsum([len(words) for words in texts])]).astype(np.int64)
        features = np.zeros((int(offsets[-1]), self.word_dim), np.float32)
        with self._bar(len(texts)) as advance:
            for part in parts_of(len(texts)):
                of_part = offsets[part.start : part.stop + 1]
                self._encode_words(texts[part], of_part - of_part[0], features[of_part[0] : of_part[-1]])
                advance(len(texts[part]))
        return features, offsets

    def names(self, names: Sequence[str]) -> np.ndarray:
        """Float32 ``(num_names, dim)`` of label names, cut to the length that training reads."""
        tokens = encode_texts(self._tokenizer, names).token_ids
        ragged = _ragged(Encoded([ids[:LABEL_LENGTH] for ids in tokens], None, []))
        return self.model.encoder.encode(*ragged)[:, : self.dim]

    def _encode_words(self, texts: Sequence[Words], offsets: np.ndarray, features: np.ndarray) -> None:
        """Fill in the features of the texts' words, which begin at ``offsets``."""
        words = pa.array([list(map(str, row)) for row in texts], pa.list_(pa.string()))
        cleaned = clean_words(words, self.model.cleaning.cleaners).to_pylist()
        shapes = windows_of(np.array([each for row in cleaned for each in shapes_of(row)], np.int32), offsets)
        pieces = [(int(first), row) for first, row in zip(offsets, cleaned, strict=False) if row]
        while pieces:
            encoded = encode_words(self._tokenizer, [row for _, row in pieces])
            assert encoded.words is not None
            assert encoded.word_starts is not None
            starts = Ragged.from_lists(encoded.word_starts, np.int32)
            place = [first + w for (first, _), kept in zip(pieces, encoded.words, strict=True) for w in kept]
            states = self.model.encoder.encode(*_ragged(encoded), starts)
            features[place] = self.model.mapping.shaped(states, shapes[place]).numpy()
            pieces = [
                (first + cut, row[cut:])
                for (first, row), kept in zip(pieces, encoded.words, strict=True)
                if (cut := max(kept, default=0) + 1) < len(row)
            ]

    def _clean(self, texts: Sequence[str]) -> list[str]:
        cleaned = clean_texts(pa.array(texts, pa.string()), self.model.cleaning.cleaners)
        return [str(text) for text in cleaned.to_pylist()]

    @contextmanager
    def _bar(self, num_texts: int) -> Iterator[Progress]:
        """A function that is told how many texts are done."""
        wanted = self._progress
        if wanted is None:
            wanted = num_texts > _TEXTS_WITHOUT_PROGRESS and sys.stderr.isatty()
        if not wanted:
            yield lambda count: None
            return
        from rich.console import Console
        from rich.progress import MofNCompleteColumn, Progress, TimeRemainingColumn

        columns = (*Progress.get_default_columns()[:2], MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=Console(stderr=True)) as bar:
            task = bar.add_task("texts", total=num_texts)
            yield lambda count: bar.advance(task, count)


def parts_of(num_texts: int) -> Iterator[slice]:
    """Slices of a few thousand texts each."""
    for first in range(0, num_texts, TEXTS_PER_PART):
        yield slice(first, min(first + TEXTS_PER_PART, num_texts))


def _ragged(encoded: Encoded) -> tuple[Ragged, Ragged]:
    token_ids = Ragged.from_lists(encoded.token_ids, np.int32)
    if encoded.segment_ids is None:
        return token_ids, Ragged(np.zeros(len(token_ids.values), np.int32), token_ids.offsets)
    return token_ids, Ragged.from_lists(encoded.segment_ids, np.int32)


def _array_fingerprint(array: Any) -> str:
    return hashlib.blake2b(np.ascontiguousarray(array).tobytes(), digest_size=8).hexdigest()
