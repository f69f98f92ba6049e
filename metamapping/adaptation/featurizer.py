"""Featurizer: turns texts into features, with the cleaning and tokenization used in training.

    featurizer = Featurizer(load_model(folder))
    x = featurizer.texts(["where is my parcel?"])            # float32 (1, text_dim)
    x, offsets = featurizer.words([["Ada", "wrote"]])        # float32 (2, word_dim) and [0, 2]

Texts are encoded in chunks of a few thousand, each sorted by length: memory stays bounded and little
time is spent on padding. The encoder is never changed, so any number of threads may use a featurizer. A
process that was forked after an encoder was loaded gets a ``RuntimeError``.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np
from tokenizers import Tokenizer

from metamapping.adaptation.inputs.length_counts import LengthCounter, LengthCounts, LongPairWarning
from metamapping.adaptation.word_tokens import WordTokens, word_passes
from metamapping.corpus.cleaning import are_empty, cleaned_texts, cleaned_words
from metamapping.corpus.ragged import Ragged
from metamapping.corpus.tokenization import Encoded, encode_texts
from metamapping.corpus.windows import join_windows, text_windows, with_overlap
from metamapping.corpus.word_shapes import shapes_of, windows_of
from metamapping.episodes.padding import LABEL_LENGTH
from metamapping.models.forks import check_not_forked
from metamapping.models.view_layout import NUM_VIEWS
from metamapping.models.weight_delta import WeightDelta
from metamapping.publishing.loaded_model import LoadedModel, TunedModel
from metamapping.runtime.encoder import Precision

TEXTS_PER_CHUNK = 8_192
_MAX_TEXTS_WITHOUT_PROGRESS = 2_000

Words = Sequence[str]


class Featurizer:
    """A published encoder with its tokenizer and cleaning.

    Args:
        model: The published encoder.
        progress: Whether to show a progress bar on standard error. Default: only for more than 2,000
            texts, and only if standard error is a terminal.
        windows: The copy of its tokenizer that reads long texts in windows, if there is one already. It takes
            6 MB for a BERT.

    Attributes:
        model: The published encoder.
        progress: As given.
    """

    def __init__(
        self,
        model: LoadedModel,
        *,
        progress: bool | None = None,
        windows: Tokenizer | None = None,
    ) -> None:
        check_not_forked()
        self.model = model
        self.progress = progress
        self._tokenizer = model.tokenizer
        self._windows = windows or with_overlap(self._tokenizer)
        self._counts = LengthCounter(model.max_length_tokens)

    @property
    def dim(self) -> int:
        """Width of one view, which is also the width of a label name's feature."""
        return self.model.encoder.dim

    @property
    def text_dim(self) -> int:
        """Width of a text's features: several views (see ``models.encoder``) side by side."""
        return self.model.encoder.text_dim

    @property
    def word_dim(self) -> int:
        """Width of a word's features: two views side by side."""
        return self.model.encoder.word_dim

    @property
    def length_counts(self) -> LengthCounts:
        """How many of the texts that were encoded so far are longer than the encoder reads at once."""
        return self._counts.total

    @property
    def tokenizer_json(self) -> str:
        """The tokenizer, set to truncate, as the text of a ``tokenizer.json``."""
        return str(self._tokenizer.to_str())

    @property
    def fingerprint(self) -> str:
        """16 hexadecimal digits over everything that determines a feature: weights, tokenizer, cleaning."""
        return self.model.fingerprint

    @property
    def precision(self) -> Precision:
        """What dense layers compute with; a task keeps the features of its examples in it."""
        # Only the encoder of the runtime has a choice.
        precision: Precision = getattr(self.model.encoder, "precision", "float32")
        return precision

    def texts(self, texts: Sequence[str], text_pairs: Sequence[str] | None = None) -> np.ndarray:
        """Encode texts, or pairs of texts.

        Texts longer than the encoder's maximum length are encoded in overlapping windows, whose features are
        averaged; longer pairs are cut.

        Args:
            texts: The texts, or the first text of each pair.
            text_pairs: The second text of each pair. A pair's feature is that of its second text, read
                in the context of the first.

        Returns:
            Float32 ``(num_texts, text_dim)``.
        """
        check_not_forked()
        features = np.zeros((len(texts), self.text_dim), np.float32)
        with self._progress_bar(len(texts)) as advance:
            for chunk in chunks(len(texts)):
                firsts = self._clean(texts[chunk])
                if text_pairs is None:
                    features[chunk] = self._encode_windows(firsts, advance)
                else:
                    features[chunk] = self._encode_pairs(firsts, self._clean(text_pairs[chunk]), advance)
        return features

    @property
    def delta(self) -> WeightDelta | None:
        """What tuning changed in the encoder; ``None`` for one that is not tuned."""
        return self.model.delta if isinstance(self.model, TunedModel) else None

    def tuned(self, delta: WeightDelta) -> Featurizer:
        """A featurizer of texts and names whose encoder was tuned to a task; all else is shared.

        Args:
            delta: What tuning changed.

        Raises:
            ValueError: The delta is that of another encoder.
        """
        model = self.model.untuned if isinstance(self.model, TunedModel) else self.model
        return Featurizer(TunedModel(model, delta), progress=self.progress, windows=self._windows)

    def text_tokens(
        self, texts: Sequence[str], text_pairs: Sequence[str] | None = None
    ) -> tuple[Ragged, Ragged]:
        """The tokens that the encoder reads for texts or pairs.

        Args:
            texts: The texts, or the first text of each pair.
            text_pairs: The second text of each pair.

        Returns:
            Token ids and segment ids.
        """
        pairs = None if text_pairs is None else self._clean(text_pairs)
        return _ragged(encode_texts(self._tokenizer, self._clean(texts), pairs))

    def word_tokens(
        self, texts: Sequence[Words], offsets: np.ndarray
    ) -> tuple[Iterator[WordTokens], np.ndarray]:
        """The tokens that the encoder reads for texts that are given as words.

        Args:
            texts: The words of each text, not cleaned.
            offsets: Text ``i`` has the words ``offsets[i]:offsets[i + 1]``.

        Returns:
            The windows, as ``word_passes`` yields them; and the shapes of all words, int32
            ``(num_words, 3)``.
        """
        words = [list(map(str, row)) for row in texts]
        cleaned = cleaned_words(words, self.model.cleaning.cleaners)
        shapes = windows_of(np.array([each for row in cleaned for each in shapes_of(row)], np.int32), offsets)
        return word_passes(self._tokenizer, cleaned, offsets), shapes

    def name_tokens(self, names: Sequence[str]) -> tuple[Ragged, Ragged]:
        """The tokens that the encoder reads for label names, truncated to the same length as in training.

        Args:
            names: Readable names of labels.

        Returns:
            Token ids and segment ids.
        """
        tokens = encode_texts(self._tokenizer, names).token_ids
        return _ragged(Encoded([ids[:LABEL_LENGTH] for ids in tokens], None, []))

    def is_empty(self, texts: Sequence[str]) -> np.ndarray:
        """Whether nothing is left of each text after cleaning; the pipeline rejects such texts.

        Args:
            texts: The texts, not cleaned.

        Returns:
            Booleans ``(num_texts,)``.
        """
        return np.array(are_empty(texts, self.model.cleaning.cleaners), bool)

    def words(self, texts: Sequence[Words]) -> tuple[np.ndarray, np.ndarray]:
        """Encode every word of texts that are given as lists of words.

        Texts longer than the encoder's maximum length are encoded in overlapping windows, and each word has
        the features of the window where it has most context. A word that the tokenizer gives no token has
        zeros.

        Args:
            texts: The words of each text, not cleaned; a text may have none.

        Returns:
            Features, float32 ``(num_words, word_dim)``, of all words in order; and offsets, int64
            ``(num_texts + 1,)``: text ``i`` has the words ``offsets[i]:offsets[i + 1]``.
        """
        check_not_forked()
        offsets = np.concatenate([[0], np.cumsum([len(words) for words in texts])]).astype(np.int64)
        features = np.zeros((int(offsets[-1]), self.word_dim), np.float32)
        with self._progress_bar(len(texts)) as advance:
            for chunk in chunks(len(texts)):
                bounds = offsets[chunk.start : chunk.stop + 1]
                self._encode_words(texts[chunk], bounds - bounds[0], features[bounds[0] : bounds[-1]])
                advance(len(texts[chunk]))
        return features, offsets

    def names(self, names: Sequence[str]) -> np.ndarray:
        """Encode label names, truncated to the same length as in training.

        Args:
            names: Readable names of labels.

        Returns:
            Float32 ``(num_names, dim)``.
        """
        check_not_forked()
        return self.model.encoder.encode(*self.name_tokens(names))[:, : self.dim]

    def _encode_windows(self, texts: list[str], advance: Callable[[float], None]) -> np.ndarray:
        """The features of clean texts, of long ones joined from their windows."""
        windows = text_windows(self._windows, texts)
        self._counts.add(len(texts), num_long=windows.num_long)
        texts_per_window = len(texts) / max(1, len(windows.text_of))

        def encode(token_ids: Ragged, segment_ids: Ragged) -> np.ndarray:
            return self.model.encoder.encode(
                token_ids, segment_ids, on_progress=lambda count: advance(count * texts_per_window)
            )

        return join_windows(encode, windows, num_texts=len(texts), num_views=NUM_VIEWS)

    def _encode_pairs(
        self, texts: list[str], text_pairs: list[str], advance: Callable[[float], None]
    ) -> np.ndarray:
        """The features of pairs of clean texts, of which long ones are cut."""
        encoded = encode_texts(self._tokenizer, texts, text_pairs)
        num_cut = sum(num > self.model.max_length_tokens for num in encoded.num_tokens)
        self._counts.add(len(texts), num_long=num_cut, num_cut=num_cut)
        if num_cut:
            warnings.warn(
                f"{num_cut} of {len(texts)} pairs are longer than {self.model.max_length_tokens} tokens, and "
                "their ends are not read: give shorter texts, the part that matters first",
                LongPairWarning,
                stacklevel=2,
            )
        return self.model.encoder.encode(*_ragged(encoded), on_progress=advance)

    def _encode_words(self, texts: Sequence[Words], offsets: np.ndarray, features: np.ndarray) -> None:
        """Write the features of all words into ``features``; text ``i`` begins at ``offsets[i]``."""
        passes, shapes = self.word_tokens(texts, offsets)
        num_windows, is_cut = np.zeros(len(texts), int), np.zeros(len(texts), bool)
        for number, tokens in enumerate(passes):
            states = self.model.encoder.encode(tokens.token_ids, tokens.segment_ids, tokens.word_starts)
            positions = tokens.positions[tokens.is_owned]
            with_shapes = self.model.mapping.add_word_shapes(states[tokens.is_owned], shapes[positions])
            features[positions] = np.asarray(with_shapes)
            if number == 0:
                num_windows = np.bincount(tokens.text_of, minlength=len(texts))
            is_cut[tokens.text_of[tokens.is_cut]] = True
        self._counts.add(len(texts), num_long=int((num_windows > 1).sum()), num_cut=int(is_cut.sum()))

    def _clean(self, texts: Sequence[str]) -> list[str]:
        return cleaned_texts(texts, self.model.cleaning.cleaners)

    @contextmanager
    def _progress_bar(self, num_texts: int) -> Iterator[Callable[[float], None]]:
        """Yield a function that is called with the number of texts just encoded."""
        is_shown = self.progress
        if is_shown is None:
            is_shown = num_texts > _MAX_TEXTS_WITHOUT_PROGRESS and sys.stderr.isatty()
        if not is_shown:
            yield lambda count: None
            return
        from rich.console import Console
        from rich.progress import MofNCompleteColumn, Progress, TimeRemainingColumn

        columns = (*Progress.get_default_columns()[:2], MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=Console(stderr=True)) as bar:
            task = bar.add_task("texts", total=num_texts)
            yield lambda count: bar.advance(task, count)


def chunks(num_texts: int) -> Iterator[slice]:
    """Consecutive slices of at most ``TEXTS_PER_CHUNK`` texts that cover ``num_texts`` texts."""
    for first in range(0, num_texts, TEXTS_PER_CHUNK):
        yield slice(first, min(first + TEXTS_PER_CHUNK, num_texts))


def _ragged(encoded: Encoded) -> tuple[Ragged, Ragged]:
    """Token ids and segment ids as ragged arrays."""
    token_ids = Ragged.from_lists(encoded.token_ids, np.int32)
    if encoded.segment_ids is None:
        return token_ids, Ragged(np.zeros(len(token_ids.values), np.int32), token_ids.offsets)
    return token_ids, Ragged.from_lists(encoded.segment_ids, np.int32)
