"""Layout: which files a published folder contains, and checks that they are complete and unchanged.

This module reads the settings and the manifest, but no weights, and therefore needs no TensorFlow;
``published_model`` writes and reads the whole folder.

    check_published(Path("path/to/published"))
    settings = read_settings(Path("path/to/published"))
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from metamapping.config.corpus import CleaningSpec
from metamapping.config.training import SolverName
from metamapping.errors import StoreError, one_line
from metamapping.publishing.int8_check import Int8Check
from metamapping.storage.bounded_json import read_json
from metamapping.storage.manifest import MANIFEST, checking_files
from metamapping.storage.remote import place_of, pull_folder

# Version 5 added the graph of the runtime and the fingerprint; folders of version 4 are read with TensorFlow.
FORMAT_VERSION = 5
READABLE_VERSIONS = (4, FORMAT_VERSION)
MODEL, MAPPING, SETTINGS = "model.safetensors", "mapping.safetensors", "metamapping.json"
REPORT, CURVE, CARD = "report.json", "learning-curve.png", "README.md"
_TASK = "task.json"  # of ``adaptation.saved.task_folder``
REQUIRED = (MODEL, MAPPING, SETTINGS, "tokenizer.json", CARD)


class PublishedSettings(BaseModel):
    """The contents of ``metamapping.json``: how texts are turned into the encoder's input.

    Attributes:
        format_version: Version of the folder's format.
        family: Hugging Face's name for the encoder's architecture (``model_type``); ``None`` if it can
            only be read with KerasHub.
        feature_dim: Width of one view.
        max_length_tokens: Number of tokens to which texts are truncated.
        cleaning: How texts are cleaned.
        solver: The solver that computes mappings.
        fingerprint: 16 hexadecimal digits over everything that determines a feature: weights, tokenizer,
            cleaning. ``None`` in folders of version 4, for which it is computed.
        int8: What 8 bits cost on the validation sources; ``None`` if that was not measured.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    format_version: int
    family: str | None
    feature_dim: int = Field(ge=1)
    max_length_tokens: int = Field(ge=8, le=8192)
    cleaning: CleaningSpec
    solver: SolverName
    fingerprint: str | None = Field(default=None, pattern="^[0-9a-f]{16}$")
    # Absent where it was not measured, so that releases without it read such a folder.
    int8: Int8Check | None = None


def check_published(folder: Path) -> None:
    """Check that a published folder is complete and every file matches its checksum.

    Args:
        folder: The folder. If it is the cache folder of a remote address, it is downloaded first.

    Raises:
        FileNotFoundError: The folder is not a published encoder.
        StoreError: The folder is damaged, or has another format version.
    """
    with checking_published(folder):
        pass


@contextmanager
def checking_published(folder: Path) -> Iterator[None]:
    """As ``check_published``, but large files are verified while the block runs; see ``checking_files``.

    Args:
        folder: As for ``check_published``.

    Yields:
        Nothing, after all other files were verified.

    Raises:
        FileNotFoundError: As for ``check_published``.
        StoreError: As for ``check_published``.
    """
    pull_folder(folder)
    if (folder / _TASK).is_file():
        raise FileNotFoundError(
            f"{place_of(folder)} is a saved task, and an encoder is expected: give the folder of the encoder "
            "that it was adapted with"
        )
    if not (folder / MANIFEST).is_file():
        # A published folder without its manifest is a damaged one.
        has_model = (folder / "config.json").is_file() and not (folder / SETTINGS).is_file()
        pretrained = "; it looks like a pretrained model, which `adapt`, `serve` and `init --encoder` accept"
        raise FileNotFoundError(
            f"{place_of(folder)} is not a published encoder (it has no {MANIFEST}): give the folder "
            f"`published` of a finished run{pretrained if has_model else ''}"
        )
    _check_version(folder)
    with checking_files(folder, REQUIRED):
        yield


def read_settings(folder: Path) -> PublishedSettings:
    """Read the settings of a folder that has been checked.

    Args:
        folder: A published folder of this machine.

    Raises:
        StoreError: The settings are not valid in this release.
    """
    path = folder / SETTINGS
    try:
        return PublishedSettings.model_validate(read_json(path))
    except ValueError as error:
        raise StoreError(
            f"{path} does not hold valid settings of this release ({one_line(error)}): publish again"
        ) from error


def list_files(folder: Path) -> list[str]:
    """The names of all files, except the manifest, of a folder that has been checked.

    Args:
        folder: A published folder of this machine.

    Returns:
        Paths within the folder.
    """
    return list(read_json(folder / MANIFEST)["files"])


def format_version_of(folder: Path) -> int | None:
    """The format version that a published folder names, before anything else of it is checked.

    Args:
        folder: A folder of this machine.

    Returns:
        ``None`` if it names none, or no number.
    """
    try:
        version = read_json(folder / SETTINGS)["format_version"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return version if isinstance(version, int) and not isinstance(version, bool) else None


def _check_version(folder: Path) -> None:
    """Report another format version, before its missing files are reported as damage."""
    version = format_version_of(folder)
    if version is None or version in READABLE_VERSIONS:
        return  # ``check_files`` and ``read_settings`` report what is wrong with the file.
    is_old = 0 < version < FORMAT_VERSION
    raise StoreError(
        f"{folder} has format version {version!r:.80}; this release of metamapping reads versions "
        f"{READABLE_VERSIONS[0]} to {FORMAT_VERSION}: "
        + (f"run `metamapping migrate {folder}`" if is_old else "install the release that wrote it")
    )


def read_card(folder: Path) -> str:
    """Read the model card for people: without the metadata that a hub reads at its beginning.

    Args:
        folder: A published folder.
    """
    card = (folder / CARD).read_text(encoding="utf-8")
    return re.sub(r"\A---\n.*?\n---\n", "", card, flags=re.DOTALL).lstrip("\n")
