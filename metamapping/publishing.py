"""Publishing: one folder that holds all that a user of the encoder needs, whole or not at all.

``metamapping.json`` (what it is), ``encoder.json`` (KerasHub class and configuration),
``model.safetensors`` (encoder and mapping), the tokenizer's files, ``report.json`` (the test
sources' scores), ``learning-curve.png``, ``README.md`` and, written last, ``manifest.json`` with a
checksum of every file and the fingerprints of the data. Nothing in the folder is code or pickle.

    write_published(run.published, model, provenance)
    model = read_published("path/to/published")
"""

from __future__ import annotations

import json
import shutil
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import keras_hub

from metamapping.checkpoints import (
    assign_variables,
    model_variables,
    read_safetensors,
    write_variables,
)
from metamapping.config import CleaningSpec
from metamapping.models.encoder import Encoder
from metamapping.models.mapping import MetaMapping
from metamapping.reports import Cell
from metamapping.store import (
    MANIFEST,
    Stage,
    StoreError,
    fingerprint_file,
    publish_folder,
    write_json,
    write_manifest,
)

FORMAT_VERSION = 1
MODEL, SETTINGS, ENCODER, REPORT = (
    "model.safetensors",
    "metamapping.json",
    "encoder.json",
    "report.json",
)
CURVE = "learning-curve.png"
MAX_JSON_BYTES = 50_000_000


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
    draft = folder.parent / f".draft-{folder.name}-{uuid.uuid4().hex[:8]}"
    try:
        shutil.copytree(model.tokenizer_folder, draft, ignore=shutil.ignore_patterns(MANIFEST, ".*"))
        write_variables(model_variables(model.encoder, model.mapping), draft / MODEL)
        write_json(draft / ENCODER, _encoder_json(model.encoder.backbone))
        settings = {
            "format_version": FORMAT_VERSION,
            "feature_dim": model.encoder.dim,
            "max_length_tokens": model.max_length_tokens,
            "cleaning": model.cleaning.model_dump(mode="json"),
        }
        write_json(draft / SETTINGS, settings)
        cells = [cell.model_dump(mode="json") for cell in provenance.cells]
        write_json(draft / REPORT, {"test": cells})
        (draft / "README.md").write_text(provenance.card, encoding="utf-8")
        if provenance.learning_curve is not None:
            (draft / CURVE).write_bytes(provenance.learning_curve)
        write_manifest(draft, provenance.stage, {"test_cells": len(cells)})
        publish_folder(draft, folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def read_published(folder: str | Path) -> PublishedModel:
    """Load a published folder, after checking every file against its checksum.

    Raises ``FileNotFoundError`` where there is none, ``StoreError`` where it is damaged.
    """
    folder = Path(folder)
    check_published(folder)
    settings, encoder_json = _read_json(folder / SETTINGS), _read_json(folder / ENCODER)
    if settings.get("format_version") != FORMAT_VERSION:
        raise StoreError(
            f"{folder} has format version {settings.get('format_version')!r}; this release of "
            f"metamapping reads version {FORMAT_VERSION}: publish again, or install the other release"
        )
    encoder = Encoder(_build_backbone(encoder_json, folder / ENCODER))
    mapping = MetaMapping(encoder.dim)
    path = folder / MODEL
    assign_variables(model_variables(encoder, mapping), read_safetensors(path), path)
    return PublishedModel(
        encoder=encoder,
        mapping=mapping,
        tokenizer_folder=folder,
        max_length_tokens=int(settings["max_length_tokens"]),
        cleaning=CleaningSpec.model_validate(settings["cleaning"]),
    )


def check_published(folder: Path) -> None:
    """Refuse a folder that is not there, not complete, or not as it was written."""
    if not (folder / MANIFEST).is_file():
        raise FileNotFoundError(
            f"{folder} is no published encoder (it has no {MANIFEST}): give the folder `published` "
            "of a run that has come to its end"
        )
    files = _read_json(folder / MANIFEST).get("files", {})
    for name in (MODEL, SETTINGS, ENCODER, "tokenizer.json"):
        if name not in files:
            raise StoreError(f"{folder / MANIFEST} does not list {name}: publish again")
    for name, entry in files.items():
        path = folder / name
        if ".." in Path(name).parts or Path(name).is_absolute():
            raise StoreError(f"{folder / MANIFEST} names {name!r}, which is outside of the folder")
        if not path.is_file() or fingerprint_file(path) != entry["blake2b"]:
            raise StoreError(f"{path} is missing or not as it was published: copy or publish it again")


def _encoder_json(backbone: keras.Model) -> dict[str, Any]:
    config = {
        key: value
        for key, value in backbone.get_config().items()
        if isinstance(value, (int, float, str, bool, type(None))) and key not in ("name", "trainable")
    }
    return {"class": type(backbone).__name__, "config": config}


def _build_backbone(encoder_json: dict[str, Any], path: Path) -> keras.Model:
    """A KerasHub backbone from its class name and plain numbers: no other class can be named."""
    name, config = encoder_json.get("class"), encoder_json.get("config")
    backbone = getattr(keras_hub.models, str(name), None)
    if not (isinstance(backbone, type) and issubclass(backbone, keras_hub.models.Backbone)):
        raise StoreError(f"{path} names {name!r}, which is no backbone of KerasHub")
    if not isinstance(config, dict):
        raise StoreError(f"{path} has no `config` of plain values")
    try:
        return backbone(**config)
    except (TypeError, ValueError) as error:
        raise StoreError(f"{path} does not describe a {name}: {error}") from error


def _read_json(path: Path) -> dict[str, Any]:
    if path.stat().st_size > MAX_JSON_BYTES:
        raise StoreError(f"{path} is larger than {MAX_JSON_BYTES} bytes: it is not ours")
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise StoreError(f"{path} is not readable JSON ({error}): it is damaged") from error
    if not isinstance(value, dict):
        raise StoreError(f"{path} does not hold an object: it is damaged")
    return value
