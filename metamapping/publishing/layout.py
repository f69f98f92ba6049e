"""A published folder from outside: what must be in it, and whether it is as it was written.

Needs no TensorFlow. ``publishing`` writes and reads the folder.

    check_published(Path("path/to/published"))
    settings = read_settings(Path("path/to/published"))
"""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from metamapping.config.corpus import CleaningSpec
from metamapping.config.training import SolverName
from metamapping.errors import StoreError, one_line
from metamapping.storage.bounded_json import read_json
from metamapping.storage.manifest import MANIFEST, check_files
from metamapping.storage.remote import place_of, pull_folder

FORMAT_VERSION = 4
MODEL, MAPPING, SETTINGS = "model.safetensors", "mapping.safetensors", "metamapping.json"
REPORT, CURVE, CARD = "report.json", "learning-curve.png", "README.md"
REQUIRED = (MODEL, MAPPING, SETTINGS, "tokenizer.json", CARD)


class Settings(BaseModel):
    """What stands in ``metamapping.json``: how texts reach the encoder.

    ``family``: of the encoder, as Hugging Face names it; ``None`` where KerasHub alone knows it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    format_version: int
    family: str | None
    feature_dim: int = Field(ge=1)
    max_length_tokens: int = Field(ge=8, le=8192)
    cleaning: CleaningSpec
    solver: SolverName


def check_published(folder: Path) -> None:
    """Refuse a folder that is not there, not complete, or not as it was written; fetched from an address.

    Raises ``FileNotFoundError`` where there is none, ``StoreError`` where it is damaged.
    """
    pull_folder(folder)
    if not (folder / MANIFEST).is_file():
        raise FileNotFoundError(
            f"{place_of(folder)} is no published encoder (it has no {MANIFEST}): give the folder `published` "
            "of a run that has come to its end"
        )
    _check_version(folder)
    check_files(folder, REQUIRED)


def read_settings(folder: Path) -> Settings:
    """The settings of a checked folder. Raises ``StoreError``."""
    path = folder / SETTINGS
    try:
        return Settings.model_validate(read_json(path))
    except ValueError as error:
        raise StoreError(
            f"{path} does not hold the settings of this release ({one_line(error)}): publish again"
        ) from error


def read_files(folder: Path) -> list[str]:
    """The names of a checked folder's files, beside its manifest."""
    return list(read_json(folder / MANIFEST)["files"])


def _check_version(folder: Path) -> None:
    """Name another format's version before its files are missed."""
    path = folder / SETTINGS
    try:
        version = read_json(path)["format_version"]
    except (OSError, ValueError, KeyError, TypeError):
        return  # The check of the files names what is wrong with it.
    if version != FORMAT_VERSION:
        raise StoreError(
            f"{folder} has format version {version!r:.80}; this release of metamapping reads version "
            f"{FORMAT_VERSION}: publish again, or install the other release"
        )
