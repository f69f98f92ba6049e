"""Saved task: a mapping as a folder that can be copied, and read where its encoder is.

``task.json`` (labels, the words they are read as, the encoder's folder and fingerprint, the examples'
texts), ``mapping.safetensors`` (features of examples and names, the weights) and, written last,
``manifest.json`` with checksums. Nothing in it is code or pickle.

    write_task(Path("tasks/orders"), featurizer, state, keep_texts=True)
    saved = read_task(Path("tasks/orders"))
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from safetensors.numpy import save_file

from metamapping.adaptation.calibration import Calibration
from metamapping.adaptation.closed_form import Solution
from metamapping.adaptation.featurizer import Featurizer
from metamapping.adaptation.state import TaskState
from metamapping.adaptation.support import Support
from metamapping.config.schema import TaskType
from metamapping.corpus.tags import OUTSIDE
from metamapping.errors import StoreError, one_line
from metamapping.models.encoder import NUM_VIEWS, NUM_WORD_VIEWS
from metamapping.storage.artifacts import Stage, write_manifest
from metamapping.storage.atomic_folder import atomic_folder
from metamapping.storage.bounded_json import MAX_TASK_BYTES
from metamapping.storage.manifest import MANIFEST, check_files, write_json
from metamapping.storage.remote import place_of
from metamapping.storage.tensors import read_safetensors

FORMAT_VERSION = 3
TASK, ARRAYS = "task.json", "mapping.safetensors"
_ARRAYS = {
    "name_features": ("float32", 2),
    "features": ("float32", 2),
    "targets": ("int32", 1),
    "offsets": ("int64", 1),
    "weights": ("float32", 2),
    "prior": ("float32", 2),
}


class _TaskFile(BaseModel):
    """What stands in ``task.json``."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)

    format_version: int
    task_type: TaskType
    labels: list[str]
    names: list[str]
    model_folder: str
    model_fingerprint: str
    ridge: Annotated[float, Field(gt=0)] | None
    views: list[Annotated[float, Field(ge=0, le=1)]]
    scale: Annotated[float, Field(gt=0)]
    centre: float
    slope: float
    num_examples: Annotated[int, Field(ge=0)]
    is_pair: bool
    texts: list[str] | list[list[str]] | None
    text_pairs: list[str] | None


@dataclass(frozen=True)
class SavedTask:
    """A task as read, and the encoder that it was adapted with."""

    folder: Path
    state: TaskState
    model_folder: str  # or the address
    model_fingerprint: str

    def check_model(self, featurizer: Featurizer) -> None:
        """Refuse another encoder: features of one mean nothing to the mapping of another."""
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
    """Write a task under a temporary name, then rename it; an older one there is replaced."""
    folder = folder.absolute()
    if folder.exists() and not (folder / TASK).is_file() and (not folder.is_dir() or any(folder.iterdir())):
        raise ValueError(f"{folder} is there already and is no saved task: give another folder")
    with atomic_folder(folder) as draft:
        support, solution, calibration = state.support, state.solution, state.calibration
        arrays = {
            "name_features": state.name_features,
            "features": support.features,
            "targets": support.targets,
            "offsets": support.offsets,
            "weights": solution.weights,
            "prior": solution.prior,
        }
        save_file({name: np.ascontiguousarray(array) for name, array in arrays.items()}, draft / ARRAYS)
        (draft / ARRAYS).chmod(0o644)
        keep = keep_texts and None not in support.texts
        pairs = support.text_pairs if keep else None
        task = _TaskFile(
            format_version=FORMAT_VERSION,
            task_type=state.task_type,
            labels=list(state.labels),
            names=list(state.names),
            model_folder=place_of(featurizer.model.tokenizer_folder.absolute()),
            model_fingerprint=featurizer.fingerprint,
            ridge=solution.ridge,
            views=list(solution.views),
            scale=calibration.scale,
            centre=calibration.centre,
            slope=calibration.slope,
            num_examples=support.num_examples,
            is_pair=support.text_pairs is not None,
            texts=list(support.texts) if keep else None,
            text_pairs=None if pairs is None else [str(pair) for pair in pairs],
        )
        write_json(draft / TASK, task.model_dump(mode="json"))
        stage = Stage("task", folder.name, FORMAT_VERSION, {"labels": task.labels}, [task.model_fingerprint])
        write_manifest(draft, stage, {"examples": support.num_examples})
    return folder


def read_task(folder: Path) -> SavedTask:
    """A saved task, after every file was checked against its checksum.

    Raises ``FileNotFoundError`` where there is none, ``StoreError`` where it is damaged.
    """
    if not (folder / MANIFEST).is_file():
        raise FileNotFoundError(f"{folder} is no saved task (it has no {MANIFEST}): save one there first")
    check_files(folder, [TASK, ARRAYS])
    try:
        task = _TaskFile.model_validate_json(_read_bounded(folder / TASK))
        if task.format_version != FORMAT_VERSION:
            raise StoreError(
                f"{folder} has format version {task.format_version}; this release of metamapping reads "
                f"version {FORMAT_VERSION}: adapt and save again"
            )
        state = _state(task, read_safetensors(folder / ARRAYS))
    except (ValidationError, KeyError, ValueError) as error:
        raise StoreError(
            f"{folder} is no saved task of this release ({one_line(error)}): save it again"
        ) from error
    return SavedTask(folder, state, task.model_folder, task.model_fingerprint)


def _read_bounded(path: Path) -> bytes:
    with path.open("rb") as file:
        content = file.read(MAX_TASK_BYTES + 1)
    if len(content) > MAX_TASK_BYTES:
        raise ValueError(f"its {path.name} has more than {MAX_TASK_BYTES} bytes")
    return content


def _state(task: _TaskFile, arrays: dict[str, np.ndarray]) -> TaskState:
    for name, (kind, num_axes) in _ARRAYS.items():
        array = arrays[name]
        if array.dtype != kind or array.ndim != num_axes or not np.isfinite(array).all():
            raise ValueError(
                f"its {name} do not fit the rest: expected finite numbers, {num_axes} axes of {kind}"
            )
    count, num_labels = task.num_examples, len(task.labels)
    if arrays["offsets"].shape != (count + 1,):
        raise ValueError("its offsets do not fit the rest")
    nothing = (None,) * count
    pairs = None if not task.is_pair else nothing if task.text_pairs is None else tuple(task.text_pairs)
    texts: tuple[Any, ...] = nothing if task.texts is None else tuple(task.texts)
    is_ner = task.task_type == "ner"
    num_views = NUM_WORD_VIEWS if is_ner else NUM_VIEWS
    support = Support(texts, pairs, arrays["features"], arrays["targets"], arrays["offsets"], num_views)
    solution = Solution(arrays["weights"], arrays["prior"], task.ridge, tuple(task.views))
    num_items, width = support.features.shape
    right = {
        "names": len(task.names) == num_labels == len(set(task.labels)),
        "name_features": arrays["name_features"].shape == (num_labels, width // num_views)
        and width % num_views == 0,
        "views": len(task.views) == (0 if is_ner else num_views - 1),  # words' have weights of their own
        "labels": num_labels >= 2 and (not is_ner or task.labels[0] == OUTSIDE),
        "texts": len(texts) == count
        and (pairs is None or (len(pairs) == count and not is_ner))
        and all(text is None or isinstance(text, list) == is_ner for text in texts),
        "offsets": support.offsets[0] == 0
        and support.offsets[-1] == num_items
        and bool((np.diff(support.offsets) >= (0 if is_ner else 1)).all())
        and (is_ner or count == num_items),
        "targets": support.targets.shape == (num_items,)
        and bool(((support.targets >= 0) & (support.targets < num_labels)).all()),
        "weights": solution.weights.shape == solution.prior.shape == (width + 1, num_labels),
    }
    for name, is_right in right.items():
        if not is_right:
            raise ValueError(f"its {name} do not fit the rest")
    return TaskState(
        task_type=task.task_type,
        labels=tuple(task.labels),
        names=tuple(task.names),
        name_features=arrays["name_features"],
        support=support,
        solution=solution,
        calibration=Calibration(task.scale, task.centre, task.slope),
    )
