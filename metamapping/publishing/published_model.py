"""Publishing: one folder that holds all that a user of the encoder needs, whole or not at all.

``config.json`` and ``model.safetensors`` (the encoder, as Hugging Face and KerasHub read it),
``mapping.safetensors`` (the meta-learned mapping), ``metamapping.json`` (how texts reach the encoder),
the tokenizer's files, those of sentence-transformers, ``report.json`` (the test sources' scores),
``learning-curve.png``, ``README.md`` and, written last, ``manifest.json`` with a checksum of every file
and the fingerprints of the data. Nothing in the folder is code or pickle.

    write_published(run.published, model, provenance)
    model = read_published("path/to/published")
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from metamapping.config.schema import CleaningSpec
from metamapping.corpus.tokens import encode_texts, load_tokenizer
from metamapping.errors import StoreError
from metamapping.interop import hugging_face, keras_alone
from metamapping.interop.families import family_of
from metamapping.interop.sentence_transformers import write_modules
from metamapping.interop.tokenizer_files import complete_tokenizer
from metamapping.models.encoder import Encoder
from metamapping.models.mapping import MetaMapping
from metamapping.models.variables import model_variables
from metamapping.publishing.layout import (
    CARD,
    CURVE,
    FORMAT_VERSION,
    MAPPING,
    REPORT,
    SETTINGS,
    Settings,
    check_published,
    read_files,
    read_settings,
)
from metamapping.rounds.records import Cell
from metamapping.storage.artifacts import Stage, has_manifest, write_manifest
from metamapping.storage.atomic_folder import atomic_folder
from metamapping.storage.manifest import MANIFEST, write_json
from metamapping.storage.remote import local_folder, push_folder
from metamapping.storage.tensors import assign_variables, read_safetensors, write_variables


@dataclass(frozen=True)
class PublishedModel:
    """An encoder with its mapping, and how texts reach it."""

    encoder: Encoder
    mapping: MetaMapping
    tokenizer_folder: Path
    max_length_tokens: int
    cleaning: CleaningSpec


@dataclass(frozen=True)
class Provenance:
    """Where a published model comes from: its stage, the test report, and words for its card."""

    stage: Stage
    cells: list[Cell]
    card: str
    learning_curve: bytes | None = None  # PNG


def write_published(folder: Path, model: PublishedModel, provenance: Provenance) -> None:
    """Write the published folder under a temporary name, then rename it."""
    with atomic_folder(folder, keep_existing=has_manifest) as draft:
        hidden = shutil.ignore_patterns(MANIFEST, ".*")
        shutil.copytree(model.tokenizer_folder, draft, ignore=hidden, dirs_exist_ok=True)
        family = family_of(model.encoder.backbone)
        if family is None:
            keras_alone.write_backbone(model.encoder.backbone, draft)
        else:
            hugging_face.write_backbone(model.encoder.backbone, draft)
            complete_tokenizer(draft, max_length_tokens=model.max_length_tokens)
            write_modules(draft, feature_dim=model.encoder.dim, max_length_tokens=model.max_length_tokens)
        write_variables(_mapping_variables(model.encoder, model.mapping), draft / MAPPING)
        settings = Settings(
            format_version=FORMAT_VERSION,
            family=None if family is None else family.model_type,
            feature_dim=model.encoder.dim,
            max_length_tokens=model.max_length_tokens,
            cleaning=model.cleaning,
            solver=model.mapping.solver,
        )
        write_json(draft / SETTINGS, settings.model_dump(mode="json"))
        cells = [cell.model_dump(mode="json") for cell in provenance.cells]
        write_json(draft / REPORT, {"test": cells})
        (draft / CARD).write_text(provenance.card, encoding="utf-8")
        if provenance.learning_curve is not None:
            (draft / CURVE).write_bytes(provenance.learning_curve)
        write_manifest(draft, provenance.stage, {"test_cells": len(cells)})
        push_folder(draft, folder)


def read_published(folder: str | Path) -> PublishedModel:
    """Load what was published, in a folder or at an address, with every file held against its checksum.

    Raises ``FileNotFoundError`` where there is none, ``StoreError`` where it is damaged.
    """
    folder = local_folder(folder)
    check_published(folder)
    settings = read_settings(folder)
    door = keras_alone if settings.family is None else hugging_face
    described = keras_alone.ENCODER if settings.family is None else hugging_face.CONFIG
    if described not in read_files(folder):
        raise StoreError(f"{folder / MANIFEST} does not name {described}: publish again")
    encoder = Encoder(door.read_backbone(folder))
    mapping = MetaMapping(encoder.dim, solver=settings.solver)
    path = folder / MAPPING
    assign_variables(_mapping_variables(encoder, mapping), read_safetensors(path), path)
    _check_fit(folder, settings, encoder, mapping)
    return PublishedModel(
        encoder=encoder,
        mapping=mapping,
        tokenizer_folder=folder,
        max_length_tokens=settings.max_length_tokens,
        cleaning=settings.cleaning,
    )


def _check_fit(folder: Path, settings: Settings, encoder: Encoder, mapping: MetaMapping) -> None:
    """Refuse parts of a folder that do not fit one another, and weights that are no numbers."""
    tokenizer = load_tokenizer(folder, max_length_tokens=settings.max_length_tokens)
    positions = getattr(encoder.backbone, "max_sequence_length", None)
    tokens = getattr(encoder.backbone, "vocabulary_size", None)
    special = encode_texts(tokenizer, [""]).token_ids[0]
    last = max([*tokenizer.get_vocab(with_added_tokens=False).values(), *special], default=0)
    if settings.feature_dim != encoder.dim:
        raise StoreError(
            f"{folder / SETTINGS} says {settings.feature_dim} features, but the encoder has {encoder.dim}"
        )
    if positions is not None and settings.max_length_tokens > positions:
        raise StoreError(
            f"{folder / SETTINGS} says {settings.max_length_tokens} tokens, but the encoder has positions "
            f"for {positions}"
        )
    if tokens is not None and last >= tokens:
        raise StoreError(f"{folder}: the tokenizer has a token {last}, but the encoder knows {tokens}")
    for name, variable in model_variables(encoder, mapping).items():
        if not np.isfinite(variable.numpy()).all():
            raise StoreError(f"{folder}: the weight {name} is not finite: publish another round")


def _mapping_variables(encoder: Encoder, mapping: MetaMapping) -> dict[str, keras.Variable]:
    variables = model_variables(encoder, mapping)
    return {name: variable for name, variable in variables.items() if name.startswith("mapping/")}
