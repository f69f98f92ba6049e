"""Published model: writes and reads the folder that contains everything a user of the encoder needs.

The folder is written atomically. It contains ``config.json`` and ``model.safetensors`` (the encoder, as
Hugging Face and KerasHub read it), ``model.onnx`` (its forward pass for the runtime,
which reads the same weights), ``mapping.safetensors`` (the meta-learned mapping),
``metamapping.json`` (how texts are turned into the encoder's input), the files of the tokenizer and of
sentence-transformers, ``report.json`` (the scores on the test sources), ``learning-curve.png``,
``README.md`` (the model card) and, written last, ``manifest.json`` with a checksum of every file and the
fingerprints of the data. It contains no code and no pickle.

    write_published(run.published, model, provenance)
    model = read_published("path/to/published")
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import keras
import numpy as np
from tokenizers import Tokenizer

from metamapping.config.corpus import CleaningSpec
from metamapping.corpus.tokenization import load_tokenizer
from metamapping.errors import StoreError
from metamapping.interop import hugging_face, keras_hub_only
from metamapping.interop.families import family_of
from metamapping.interop.sentence_transformers import write_modules
from metamapping.interop.tokenizer_files import complete_tokenizer
from metamapping.models.encoder import Encoder
from metamapping.models.forks import check_not_forked
from metamapping.models.mapping import MetaMapping
from metamapping.models.variables import model_variables
from metamapping.publishing.int8_check import Int8Check
from metamapping.publishing.layout import (
    CARD,
    CURVE,
    FORMAT_VERSION,
    MAPPING,
    REPORT,
    SETTINGS,
    PublishedSettings,
    check_published,
    list_files,
    read_settings,
)
from metamapping.publishing.loaded_model import check_sizes, features_fingerprint
from metamapping.rounds.records import Cell
from metamapping.runtime.graph_file import write_graph
from metamapping.runtime.graphs import GRAPH_FAMILIES, build_graph
from metamapping.runtime.weight_file import WeightFile
from metamapping.storage.artifacts import Stage, has_manifest, write_manifest
from metamapping.storage.atomic_folder import atomic_folder
from metamapping.storage.manifest import MANIFEST, write_json
from metamapping.storage.remote import local_folder, push_folder
from metamapping.storage.tensors import assign_variables, read_safetensors, write_variables


@dataclass(frozen=True)
class PublishedModel:
    """An encoder with its meta-learned mapping, tokenizer and cleaning.

    Attributes:
        encoder: The encoder.
        mapping: The meta-learned mapping.
        tokenizer_folder: Folder with ``tokenizer.json``; after reading, the published folder itself.
        max_length_tokens: Number of tokens to which texts are truncated.
        cleaning: How texts are cleaned.
    """

    encoder: Encoder
    mapping: MetaMapping
    tokenizer_folder: Path
    max_length_tokens: int
    cleaning: CleaningSpec

    @cached_property
    def tokenizer(self) -> Tokenizer:
        """The tokenizer, set to truncate."""
        return load_tokenizer(self.tokenizer_folder, max_length_tokens=self.max_length_tokens)

    @cached_property
    def fingerprint(self) -> str:
        """16 hexadecimal digits over everything that determines a feature: weights, tokenizer, cleaning."""
        variables = model_variables(self.encoder, self.mapping)
        weights = {name: np.asarray(variable.numpy()) for name, variable in variables.items()}
        return features_fingerprint(weights, self.tokenizer, self.max_length_tokens, self.cleaning)


@dataclass(frozen=True)
class Provenance:
    """Where a published model comes from.

    Attributes:
        stage: Identity of the stage that publishes it, for the manifest.
        cells: Scores on the test sources.
        card: The model card, in Markdown.
        learning_curve: The learning curve as PNG.
        int8: What 8 bits cost on the validation sources.
    """

    stage: Stage
    cells: list[Cell]
    card: str
    learning_curve: bytes | None = None
    int8: Int8Check | None = None


def write_published(folder: Path, model: PublishedModel, provenance: Provenance) -> None:
    """Write a published folder atomically: into a temporary directory, which is then renamed.

    Args:
        folder: The folder to write.
        model: What is published.
        provenance: Where it comes from.
    """
    with atomic_folder(folder, keep_existing=has_manifest) as draft:
        hidden = shutil.ignore_patterns(MANIFEST, ".*")
        shutil.copytree(model.tokenizer_folder, draft, ignore=hidden, dirs_exist_ok=True)
        family = family_of(model.encoder.backbone)
        if family is None:
            keras_hub_only.write_backbone(model.encoder.backbone, draft)
        else:
            hugging_face.write_backbone(model.encoder.backbone, draft)
            complete_tokenizer(draft, max_length_tokens=model.max_length_tokens)
            if family.model_type in GRAPH_FAMILIES:
                weights = WeightFile(draft / hugging_face.MODEL)
                config = family.to_config(model.encoder.backbone)
                write_graph(draft, build_graph(family.model_type, config, weights))
            write_modules(draft, feature_dim=model.encoder.dim, max_length_tokens=model.max_length_tokens)
        write_variables(mapping_variables(model.encoder, model.mapping), draft / MAPPING)
        settings = PublishedSettings(
            format_version=FORMAT_VERSION,
            family=None if family is None else family.model_type,
            feature_dim=model.encoder.dim,
            max_length_tokens=model.max_length_tokens,
            cleaning=model.cleaning,
            solver=model.mapping.solver,
            fingerprint=model.fingerprint,
            int8=provenance.int8,
        )
        left_out = {"int8"} if provenance.int8 is None else None
        write_json(draft / SETTINGS, settings.model_dump(mode="json", exclude=left_out))
        cells = [cell.model_dump(mode="json") for cell in provenance.cells]
        write_json(draft / REPORT, {"test": cells})
        (draft / CARD).write_text(provenance.card, encoding="utf-8")
        if provenance.learning_curve is not None:
            (draft / CURVE).write_bytes(provenance.learning_curve)
        write_manifest(draft, provenance.stage, {"test_cells": len(cells)})
        push_folder(draft, folder)


def read_published(folder: str | Path) -> PublishedModel:
    """Load a published model after verifying every file against its checksum.

    Args:
        folder: A published folder, or the address of one.

    Raises:
        FileNotFoundError: The folder is not a published encoder.
        StoreError: The folder is damaged.
        RuntimeError: The process was forked from one that had loaded an encoder.
    """
    check_not_forked()
    folder = local_folder(folder)
    check_published(folder)
    settings = read_settings(folder)
    export_format = keras_hub_only if settings.family is None else hugging_face
    encoder_file = keras_hub_only.ENCODER if settings.family is None else hugging_face.CONFIG
    if encoder_file not in list_files(folder):
        raise StoreError(f"{folder / MANIFEST} does not name {encoder_file}: publish again")
    encoder = Encoder(export_format.read_backbone(folder))
    mapping = MetaMapping(encoder.dim, solver=settings.solver)
    path = folder / MAPPING
    assign_variables(mapping_variables(encoder, mapping), read_safetensors(path), path)
    check_consistent(folder, settings, encoder, mapping)
    return PublishedModel(
        encoder=encoder,
        mapping=mapping,
        tokenizer_folder=folder,
        max_length_tokens=settings.max_length_tokens,
        cleaning=settings.cleaning,
    )


def check_consistent(
    folder: Path, settings: PublishedSettings, encoder: Encoder, mapping: MetaMapping
) -> None:
    """Check that settings, tokenizer and encoder fit each other, and that all weights are finite.

    Args:
        folder: The published folder.
        settings: Its settings.
        encoder: Its encoder.
        mapping: Its mapping.

    Raises:
        StoreError: They do not, or are not.
    """
    check_sizes(
        folder,
        settings,
        load_tokenizer(folder, max_length_tokens=settings.max_length_tokens),
        dim=encoder.dim,
        num_positions=getattr(encoder.backbone, "max_sequence_length", None),
        vocabulary_size=getattr(encoder.backbone, "vocabulary_size", None),
    )
    for name, variable in model_variables(encoder, mapping).items():
        if not np.isfinite(variable.numpy()).all():
            raise StoreError(f"{folder}: the weight {name} is not finite: publish another round")


def mapping_variables(encoder: Encoder, mapping: MetaMapping) -> dict[str, keras.Variable]:
    """The weights of a mapping under the names that they have in a published folder.

    Args:
        encoder: The encoder that the mapping belongs to.
        mapping: The mapping.
    """
    variables = model_variables(encoder, mapping)
    return {name: variable for name, variable in variables.items() if name.startswith("mapping/")}
