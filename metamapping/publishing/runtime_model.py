"""Runtime model: a published encoder without TensorFlow, from the graph and the weights of its folder.

model = load_model("path/to/published")                            # on TensorFlow if there is no graph
model = load_model("path/to/published", backend="int8")            # faster, a little less exact
model = load_model("path/to/published", backend="int8-anyway")     # even if that was found to cost too much
model = load_model("path/to/published", backend="tensorflow")      # to use a GPU
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from tokenizers import Tokenizer

from metamapping.config.corpus import CleaningSpec
from metamapping.corpus.tokenization import load_tokenizer
from metamapping.errors import StoreError
from metamapping.models.forks import check_not_forked
from metamapping.models.keras_import import quiet_keras
from metamapping.publishing.layout import (
    MAPPING,
    MODEL,
    PublishedSettings,
    checking_published,
    list_files,
    read_settings,
)
from metamapping.publishing.loaded_model import LoadedModel, check_sizes
from metamapping.runtime.encoder import Precision, RuntimeEncoder
from metamapping.runtime.graph_file import GRAPH, read_graph
from metamapping.runtime.mapping import LearnedMapping
from metamapping.runtime.weight_file import WeightFile
from metamapping.storage.remote import local_folder, place_of

Backend = Literal["auto", "runtime", "int8", "int8-anyway", "tensorflow"]
BACKENDS: tuple[Backend, ...] = ("auto", "runtime", "int8", "int8-anyway", "tensorflow")


@dataclass(frozen=True)
class RuntimeModel:
    """An encoder with its meta-learned mapping, tokenizer and cleaning.

    Attributes:
        encoder: The encoder.
        mapping: The meta-learned mapping.
        tokenizer_folder: The published folder.
        max_length_tokens: Number of tokens to which texts are truncated.
        cleaning: How texts are cleaned.
        fingerprint: 16 hexadecimal digits over everything that determines a feature, as published.
        tokenizer: The tokenizer of that folder, which loading has read, set to truncate.
    """

    encoder: RuntimeEncoder
    mapping: LearnedMapping
    tokenizer_folder: Path
    max_length_tokens: int
    cleaning: CleaningSpec
    fingerprint: str
    tokenizer: Tokenizer


def load_model(folder: str | Path, *, backend: Backend = "auto") -> LoadedModel:
    """Load a published model after verifying every file against its checksum.

    Args:
        folder: A published folder, or the address of one.
        backend: ``runtime`` for the graph of the folder, which needs no TensorFlow and runs on the CPU;
            ``int8`` for the same with dense layers of 8 bits, which is faster and changes features a little;
            ``int8-anyway`` for these even where publishing has found that they lose too much accuracy;
            ``tensorflow`` for Keras, which uses a GPU if there is one; ``auto`` for the runtime where the
            folder has a graph.

    Raises:
        FileNotFoundError: The folder is not a published encoder.
        StoreError: The folder is damaged, or has no graph although the runtime was asked for.
        MissingExtraError: TensorFlow is needed and is not installed.
        RuntimeError: The process was forked from one that had loaded an encoder.
        ValueError: There is no such backend, this processor cannot run ``int8``, or it is refused for this
            encoder.
    """
    if backend not in BACKENDS:
        raise ValueError(f"backend is {backend!r:.80}, expected one of {', '.join(BACKENDS)}")
    check_not_forked()
    folder = local_folder(folder)
    if backend != "tensorflow":
        with checking_published(folder):
            settings = read_settings(folder)
            if settings.fingerprint is not None and GRAPH in list_files(folder):
                if backend == "int8" and settings.int8 is not None and not settings.int8.is_accepted:
                    raise ValueError(
                        f"{place_of(folder)} should not be used in 8 bits, which lose too much: "
                        f"{settings.int8.figures}. Use the backend `runtime`, or `int8-anyway` to accept the "
                        "loss"
                    )
                return _read_runtime(folder, settings, settings.fingerprint, precision_of(backend))
        if backend != "auto":
            raise StoreError(
                f"{place_of(folder)} has no graph for the runtime ({GRAPH}): if the encoder is a BERT, "
                "RoBERTa, XLM-R, DistilBERT or GPT-2, publish again with this release; or load it with "
                "backend='tensorflow'"
            )
    reason = "" if backend == "tensorflow" else ", which has no graph for the runtime,"
    with quiet_keras(f"loading {place_of(folder)}{reason}"):
        from metamapping.publishing.published_model import read_published

    return read_published(folder)


def precision_of(backend: Backend) -> Precision:
    """What the dense layers of a backend of the runtime compute with.

    Args:
        backend: The backend.
    """
    return "int8" if backend in ("int8", "int8-anyway") else "float32"


def _read_runtime(
    folder: Path, settings: PublishedSettings, fingerprint: str, precision: Precision
) -> RuntimeModel:
    weights = WeightFile(folder / MODEL)
    graph = read_graph(folder, weights, max_length_tokens=settings.max_length_tokens)
    tokenizer = load_tokenizer(folder, max_length_tokens=settings.max_length_tokens)
    check_sizes(
        folder,
        settings,
        tokenizer,
        dim=graph.dim,
        num_positions=graph.num_positions,
        vocabulary_size=None if graph.token_table is None else len(weights.array(graph.token_table)),
    )
    for name in graph.weights:
        if not np.isfinite(weights.array(name)).all():
            raise StoreError(f"{folder}: the weight {name} is not finite: publish another round")
    return RuntimeModel(
        encoder=RuntimeEncoder(graph, weights, precision=precision),
        mapping=LearnedMapping.read(folder / MAPPING, feature_dim=graph.dim, solver=settings.solver),
        tokenizer_folder=folder,
        max_length_tokens=settings.max_length_tokens,
        cleaning=settings.cleaning,
        fingerprint=fingerprint,
        tokenizer=tokenizer,
    )
