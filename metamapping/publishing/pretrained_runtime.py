"""Pretrained runtime: a plain Hugging Face folder without TensorFlow, with an untrained mapping.

Nothing is written: the graph is built in memory, from the folder's configuration and weights.

    model = read_pretrained_runtime(folder, max_length_tokens=256, precision="float32")
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

from metamapping.config.corpus import CleaningSpec
from metamapping.corpus.tokenization import load_tokenizer
from metamapping.errors import StoreError
from metamapping.models.forks import check_not_forked
from metamapping.publishing.loaded_model import features_fingerprint
from metamapping.runtime.encoder import Precision, RuntimeEncoder
from metamapping.runtime.mapping import LearnedMapping, untrained_arrays
from metamapping.runtime.pretrained_weights import PretrainedWeights, pretrained_graph


@dataclass(frozen=True)
class PretrainedRuntimeModel:
    """A pretrained encoder with an untrained mapping, its tokenizer and the default cleaning.

    Attributes:
        encoder: The encoder.
        mapping: The mapping, not trained.
        tokenizer_folder: The pretrained folder.
        max_length_tokens: Number of tokens to which texts are truncated.
        cleaning: How texts are cleaned.
        weights: The weights of the encoder.
    """

    encoder: RuntimeEncoder
    mapping: LearnedMapping
    tokenizer_folder: Path
    max_length_tokens: int
    cleaning: CleaningSpec
    weights: PretrainedWeights

    @cached_property
    def tokenizer(self) -> Tokenizer:
        """The tokenizer, set to truncate."""
        return load_tokenizer(self.tokenizer_folder, max_length_tokens=self.max_length_tokens)

    @cached_property
    def fingerprint(self) -> str:
        """16 hexadecimal digits over everything that determines a feature: weights, tokenizer, cleaning.

        It is that of the same folder in TensorFlow.
        """
        mapping = untrained_arrays(self.encoder.dim)
        arrays = {f"mapping/mapping/{name}": array for name, array in mapping.items()}
        arrays |= self.weights.keras_arrays()
        fingerprint = features_fingerprint(arrays, self.tokenizer, self.max_length_tokens, self.cleaning)
        self.weights.release()
        return fingerprint


def read_pretrained_runtime(
    folder: Path, weights: PretrainedWeights, *, max_length_tokens: int, precision: Precision
) -> PretrainedRuntimeModel:
    """A pretrained folder as a model that can be adapted.

    Args:
        folder: The folder, with a ``tokenizer.json`` that fits the encoder.
        weights: Its weights.
        max_length_tokens: Number of tokens to which texts are truncated.
        precision: What dense layers compute with.

    Raises:
        StoreError: The weights are none of an encoder, or not finite.
        RuntimeError: The process was forked from one that had loaded an encoder.
        ValueError: The precision is ``int8``, and this processor's integer products overflow.
    """
    check_not_forked()
    graph = pretrained_graph(weights, max_length_tokens=max_length_tokens)
    for name in graph.weights:
        if not np.isfinite(weights.array(name)).all():
            raise StoreError(f"{weights.path}: the weight {name} is not finite: download the folder again")
    return PretrainedRuntimeModel(
        encoder=RuntimeEncoder(graph, weights, precision=precision),
        mapping=LearnedMapping.from_arrays(untrained_arrays(graph.dim), solver="ridge"),
        tokenizer_folder=folder,
        max_length_tokens=max_length_tokens,
        cleaning=CleaningSpec(),
        weights=weights,
    )
