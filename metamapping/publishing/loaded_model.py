"""Loaded model: what a published encoder offers in memory, however it was loaded.

``PublishedModel`` runs on TensorFlow, ``RuntimeModel`` on the graph of the folder.

    model = load_model("path/to/published")
    model.encoder.encode(token_ids, segment_ids)
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from tokenizers import Tokenizer

from metamapping.config.corpus import CleaningSpec
from metamapping.config.training import SolverName
from metamapping.corpus.ragged import Ragged
from metamapping.corpus.tokenization import encode_texts
from metamapping.errors import StoreError
from metamapping.models.weight_delta import WeightDelta
from metamapping.publishing.layout import SETTINGS, PublishedSettings
from metamapping.storage.manifest import fingerprint


class EncodesTexts(Protocol):
    """What computes the features of texts and words; see ``models.encoder``."""

    def encode(
        self,
        token_ids: Ragged,
        segment_ids: Ragged,
        word_starts: Ragged | None = None,
        *,
        batch_size: int = 64,
        on_progress: Callable[[int], None] | None = None,
    ) -> np.ndarray:
        """Features of texts, or of all their words.

        Args:
            token_ids: Tokens of each text.
            segment_ids: Segments of the same tokens.
            word_starts: The first piece of each word of each text; ``None`` for whole texts.
            batch_size: Maximum number of texts that are encoded at once.
            on_progress: Called with the number of texts that were newly encoded.

        Returns:
            Float32 ``(num_texts, text_dim)`` or ``(num_words, word_dim)``.
        """


class FeatureEncoder(EncodesTexts, Protocol):
    """An encoder whose widths are known, and whose layers can be changed for a task."""

    @property
    def dim(self) -> int:
        """Width of one view."""

    @property
    def text_dim(self) -> int:
        """Width of a text's features."""

    @property
    def word_dim(self) -> int:
        """Width of a word's features."""

    def tuned(self, delta: WeightDelta) -> FeatureEncoder:
        """An encoder with other layers, which shares everything else with this one.

        Args:
            delta: What tuning changed.

        Raises:
            ValueError: The delta is that of another encoder.
        """


class TaskMapping(Protocol):
    """The meta-learned mapping: ``models.mapping.MetaMapping`` or ``runtime.mapping.LearnedMapping``."""

    @property
    def solver(self) -> SolverName:
        """How a task's mapping is computed."""

    @property
    def inverse_temperature(self) -> Any:
        """τ, a positive scalar."""

    def add_word_shapes(self, words: Any, shapes: Any) -> Any:
        """Add the learned vectors of words' shapes to the first view.

        Args:
            words: Float ``(N, width)``.
            shapes: Int ``(N, 3)``.
        """


class LoadedModel(Protocol):
    """An encoder with its meta-learned mapping, tokenizer and cleaning."""

    @property
    def encoder(self) -> FeatureEncoder:
        """The encoder."""

    @property
    def mapping(self) -> TaskMapping:
        """The meta-learned mapping."""

    @property
    def tokenizer_folder(self) -> Path:
        """Folder with ``tokenizer.json``; of a folder that was read, the published folder itself."""

    @property
    def tokenizer(self) -> Tokenizer:
        """The tokenizer, set to truncate; read once."""

    @property
    def max_length_tokens(self) -> int:
        """Number of tokens to which texts are truncated."""

    @property
    def cleaning(self) -> CleaningSpec:
        """How texts are cleaned."""

    @property
    def fingerprint(self) -> str:
        """16 hexadecimal digits over everything that determines a feature."""


class TunedModel:
    """A loaded model whose encoder was tuned to one task.

    It has the fingerprint of the model itself, with which the task can be used, and shares all of it.

    Args:
        model: The model, not tuned.
        delta: What tuning changed in its encoder.

    Raises:
        ValueError: The delta is that of another encoder.
    """

    def __init__(self, model: LoadedModel, delta: WeightDelta) -> None:
        self.untuned, self.delta = model, delta
        self.encoder: FeatureEncoder = model.encoder.tuned(delta)
        self.mapping: TaskMapping = model.mapping
        self.tokenizer_folder, self.max_length_tokens = model.tokenizer_folder, model.max_length_tokens
        self.tokenizer, self.cleaning = model.tokenizer, model.cleaning

    @property
    def fingerprint(self) -> str:
        """16 hexadecimal digits over everything that determines a feature of the model without the delta."""
        return self.untuned.fingerprint


def features_fingerprint(
    weights: Mapping[str, np.ndarray], tokenizer: Tokenizer, max_length_tokens: int, cleaning: CleaningSpec
) -> str:
    """16 hexadecimal digits over everything that determines a feature: weights, tokenizer, cleaning.

    Args:
        weights: All weights by name.
        tokenizer: The tokenizer, set to truncate.
        max_length_tokens: Number of tokens to which texts are truncated.
        cleaning: How texts are cleaned.
    """
    arrays = [_array_fingerprint(weights[name]) for name in sorted(weights)]
    return fingerprint([arrays, tokenizer.to_str(), max_length_tokens, cleaning.model_dump(mode="json")])


def check_sizes(
    folder: Path,
    settings: PublishedSettings,
    tokenizer: Tokenizer,
    *,
    dim: int,
    num_positions: int | None,
    vocabulary_size: int | None,
) -> None:
    """Check that settings, tokenizer and encoder of a published folder fit each other.

    Args:
        folder: The folder, for messages.
        settings: Its settings.
        tokenizer: Its tokenizer.
        dim: Width of the encoder's states.
        num_positions: Length of the longest text that the encoder can read; ``None`` for any.
        vocabulary_size: Number of tokens that the encoder knows; ``None`` if that is not known.

    Raises:
        StoreError: They do not.
    """
    special_ids = encode_texts(tokenizer, [""]).token_ids[0]
    highest_id = max([*tokenizer.get_vocab(with_added_tokens=False).values(), *special_ids], default=0)
    if settings.feature_dim != dim:
        raise StoreError(
            f"{folder / SETTINGS} says {settings.feature_dim} features, but the encoder has {dim}"
        )
    if num_positions is not None and settings.max_length_tokens > num_positions:
        raise StoreError(
            f"{folder / SETTINGS} says {settings.max_length_tokens} tokens, but the encoder has positions "
            f"for {num_positions}"
        )
    if vocabulary_size is not None and highest_id >= vocabulary_size:
        raise StoreError(
            f"{folder}: the tokenizer has a token {highest_id}, but the encoder knows {vocabulary_size}"
        )


def _array_fingerprint(array: np.ndarray) -> str:
    return hashlib.blake2b(np.ascontiguousarray(array).tobytes(), digest_size=8).hexdigest()
