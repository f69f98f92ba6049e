"""Task folder: saves a task as a folder that can be copied, and reads it back.

The folder can be used wherever the encoder it was adapted with is available. It contains ``task.json``
(labels, their readable names, folder and fingerprint of the encoder, texts of the examples),
``mapping.safetensors`` (features of examples and names, the weights, and what tuning changed) and, written
last, ``manifest.json`` with checksums. It contains no code and no pickle.

    write_task(Path("my-tasks/orders"), featurizer, state, keep_texts=True)
    saved = read_task(Path("my-tasks/orders"))
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from metamapping.adaptation.featurizer import Featurizer
from metamapping.adaptation.saved.task_contents import read_delta, read_state, task_arrays, task_file
from metamapping.adaptation.saved.task_file import TaskFile
from metamapping.adaptation.state import TaskState
from metamapping.errors import StoreError, listed, one_line
from metamapping.models.weight_delta import WeightDelta
from metamapping.publishing.runtime_model import Backend
from metamapping.runtime.encoder import Precision
from metamapping.storage.artifacts import Stage, write_manifest
from metamapping.storage.atomic_folder import atomic_folder
from metamapping.storage.bounded_json import MAX_TASK_BYTES, read_json
from metamapping.storage.manifest import MANIFEST, check_files, write_json
from metamapping.storage.remote import place_of
from metamapping.storage.tensors import read_safetensors, write_safetensors

FORMAT_VERSION = 4
# Version 3 has no logistic regression; it is read, and predicts as the release that wrote it.
_READ_VERSIONS = (3, 4)
TASK, ARRAYS = "task.json", "mapping.safetensors"
# Where a classifier of scikit-learn has its task.
CLASSIFIER_TASK = "task"


class PrecisionWarning(UserWarning):
    """A task that was adapted in 8 bits is used in float32."""


@dataclass(frozen=True)
class SavedTask:
    """A task that was read from a folder, and the encoder that it was adapted with.

    Attributes:
        folder: The task's folder.
        state: The task.
        model_folder: Folder or address of the encoder.
        model_fingerprint: The encoder's ``Featurizer.fingerprint``.
        delta: What tuning changed in the encoder, if the task was tuned.
        precision: What the features of its examples were computed with.
    """

    folder: Path
    state: TaskState
    model_folder: str
    model_fingerprint: str
    delta: WeightDelta | None = None
    precision: Precision = "float32"

    def backend(self, wanted: Backend) -> Backend:
        """What to load the encoder with: by default what computes the features that the task has learned.

        Args:
            wanted: The backend that was asked for.
        """
        return "int8-anyway" if wanted == "auto" and self.precision == "int8" else wanted

    def precision_problem(self, featurizer: Featurizer) -> str | None:
        """A sentence if the task's examples were encoded in 8 bits, and texts are not.

        Args:
            featurizer: The encoder that the task is to be used with.
        """
        if self.precision == featurizer.precision or self.precision == "float32":
            return None
        return (
            f"{self.folder} was adapted in 8 bits and is used in {featurizer.precision}, so that a few "
            "predictions may differ: use the backend `int8`, or adapt again"
        )

    def tuned(self, featurizer: Featurizer) -> Featurizer:
        """The featurizer that encodes the texts of this task.

        Args:
            featurizer: The task's encoder, as ``check_encoder`` accepts it.

        Raises:
            StoreError: The task was tuned with another encoder.
        """
        if self.delta is None:
            return featurizer
        try:
            return featurizer.tuned(self.delta)
        except ValueError as error:
            raise StoreError(f"{self.folder}: {error}") from error

    def check_encoder(self, featurizer: Featurizer) -> None:
        """Check that ``featurizer`` has the encoder that the task was adapted with.

        Args:
            featurizer: The encoder that the task is to be used with.

        Raises:
            StoreError: It is another encoder, whose features the task's mapping cannot interpret.
        """
        if (
            featurizer.fingerprint != self.model_fingerprint
            or featurizer.dim != self.state.name_features.shape[1]
        ):
            raise StoreError(
                f"{self.folder} was adapted with the encoder {self.model_fingerprint} "
                f"({self.model_folder}), but {place_of(featurizer.model.tokenizer_folder)} is "
                f"{featurizer.fingerprint}: give the former, or adapt again"
            )


def write_task(folder: Path, featurizer: Featurizer, state: TaskState, *, keep_texts: bool) -> Path:
    """Save a task atomically; an older saved task in the same folder is replaced.

    Args:
        folder: The folder to write.
        featurizer: The featurizer that the task was adapted with.
        state: The task.
        keep_texts: Whether to store the examples' texts along with their features.

    Returns:
        The absolute path of the folder.

    Raises:
        ValueError: The folder exists, is not empty and is not a saved task.
    """
    folder = folder.absolute()
    if folder.exists() and not (folder / TASK).is_file() and (not folder.is_dir() or any(folder.iterdir())):
        raise ValueError(f"{folder} already exists and is not a saved task: give another folder")
    with atomic_folder(folder) as draft:
        write_safetensors(task_arrays(state, featurizer.delta), draft / ARRAYS)
        task = task_file(featurizer, state, format_version=FORMAT_VERSION, keep_texts=keep_texts)
        write_json(draft / TASK, task.model_dump(mode="json", exclude_unset=True))
        stage = Stage("task", folder.name, FORMAT_VERSION, {"labels": task.labels}, [task.model_fingerprint])
        write_manifest(draft, stage, {"examples": state.support.num_examples})
    return folder


def read_task(folder: Path) -> SavedTask:
    """Read a saved task after verifying every file against its checksum.

    Args:
        folder: The folder of a saved task on this machine.

    Raises:
        FileNotFoundError: The folder is not a saved task.
        StoreError: It is damaged, or was written in another format version.
    """
    if not (folder / TASK).exists() and (folder / CLASSIFIER_TASK / TASK).is_file():
        raise FileNotFoundError(
            f"{folder} is not a saved task, but {folder / CLASSIFIER_TASK} in it is: give that folder"
        )
    if not (folder / MANIFEST).is_file():
        raise FileNotFoundError(f"{folder} is not a saved task (it has no {MANIFEST}): save one there first")
    check_files(folder, [TASK, ARRAYS])
    _check_version(folder)
    try:
        task = TaskFile.model_validate_json(_read_bounded(folder / TASK))
        arrays = read_safetensors(folder / ARRAYS)
        state, delta = read_state(task, arrays), read_delta(task, arrays)
    except (ValidationError, KeyError, ValueError) as error:
        raise StoreError(
            f"{folder} is not a valid saved task of this release ({one_line(error)}): save it again"
        ) from error
    precision: Precision = task.precision or "float32"
    return SavedTask(folder, state, task.model_folder, task.model_fingerprint, delta, precision)


def task_version(folder: Path) -> int | None:
    """The format version that a saved task names, before anything else of it is checked.

    Args:
        folder: A folder of this machine.

    Returns:
        ``None`` if it names none, or no number.
    """
    try:
        version = read_json(folder / TASK, max_bytes=MAX_TASK_BYTES)["format_version"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return version if isinstance(version, int) and not isinstance(version, bool) else None


def _check_version(folder: Path) -> None:
    version = task_version(folder)
    if version is None or version in _READ_VERSIONS:
        return  # ``TaskFile`` reports what is wrong with the file.
    is_old = 0 < version < FORMAT_VERSION
    raise StoreError(
        f"{folder} has format version {version!r:.80}; this release of metamapping reads the versions "
        f"{listed(_READ_VERSIONS)}: "
        + (
            f"run `metamapping migrate {folder}`, which adapts it again from its texts"
            if is_old
            else "install the release that wrote it"
        )
    )


def _read_bounded(path: Path) -> bytes:
    """A file's bytes; of a file that is too large, no more than the limit is read."""
    with path.open("rb") as file:
        content = file.read(MAX_TASK_BYTES + 1)
    if len(content) > MAX_TASK_BYTES:
        raise ValueError(f"its {path.name} has more than {MAX_TASK_BYTES} bytes")
    return content
