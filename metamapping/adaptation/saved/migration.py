"""Migration of saved tasks: one of format 1 or 2 is adapted again, from the texts that are stored in it.

The features in such a folder are of other views than an encoder computes now, so the texts are encoded again.
Labels, their names and their order stay. Tasks of later formats are read as they are.

    write = migrated_task(Path("old-tasks/orders"), MetaMapper.from_pretrained("published"))
    write.save("tasks/orders")
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from metamapping.adaptation.algebra.calibration import Calibration
from metamapping.adaptation.algebra.solution import Solution
from metamapping.adaptation.algebra.support import Support
from metamapping.adaptation.readaptation import adapt_state
from metamapping.adaptation.saved.task_folder import ARRAYS, TASK
from metamapping.adaptation.state import TaskState
from metamapping.adaptation.task_mapping import LoadedEncoder, Mapping
from metamapping.config.sources import TaskType
from metamapping.corpus.tags import OUTSIDE
from metamapping.errors import StoreError, one_line
from metamapping.storage.bounded_json import MAX_TASK_BYTES, read_json
from metamapping.storage.manifest import check_files
from metamapping.storage.tensors import read_safetensors

OLD_VERSIONS = (1, 2)


class OldTaskFile(BaseModel):
    """What is used of ``task.json`` in formats 1 and 2."""

    model_config = ConfigDict(extra="ignore", strict=True)

    task_type: TaskType
    labels: list[str]
    names: list[str]
    model_folder: str
    num_examples: int = Field(ge=0)
    is_pair: bool
    texts: list[str] | list[list[str]] | None
    text_pairs: list[str] | None


def read_old_task(folder: Path) -> OldTaskFile:
    """Read the description of a task of format 1 or 2, after verifying every file against its checksum.

    Args:
        folder: The folder of the task.

    Raises:
        StoreError: It is damaged.
    """
    check_files(folder, [TASK, ARRAYS])
    try:
        return OldTaskFile.model_validate(read_json(folder / TASK, max_bytes=MAX_TASK_BYTES))
    except (ValidationError, ValueError) as error:
        raise StoreError(
            f"{folder} is not a valid saved task of format 1 or 2 ({one_line(error)}): adapt again from its "
            "examples"
        ) from error


def migrated_task(folder: Path, mapper: LoadedEncoder) -> Mapping:
    """Adapt a saved task of format 1 or 2 again.

    Args:
        folder: The folder of the task; it is left as it is.
        mapper: The encoder to adapt with.

    Returns:
        The task.

    Raises:
        StoreError: It is damaged.
        ValueError: It was saved without the texts of its examples.
    """
    task = read_old_task(folder)
    try:
        return adapt_state(_state(task, read_safetensors(folder / ARRAYS)), mapper.featurizer)
    except (KeyError, IndexError) as error:
        raise StoreError(f"{folder} is damaged ({one_line(error)}): adapt again from its examples") from error


def _state(task: OldTaskFile, arrays: dict[str, np.ndarray]) -> TaskState:
    """The task without features and solution. Raises ``ValueError`` where its parts do not fit."""
    count, num_labels, is_ner = task.num_examples, len(task.labels), task.task_type == "ner"
    texts: tuple[Any, ...] = (None,) * count if task.texts is None else tuple(task.texts)
    pairs = None if not task.is_pair else tuple(task.text_pairs or (None,) * count)
    targets, offsets = arrays["targets"], arrays["offsets"]
    fits = (
        len(texts) == count
        and (pairs is None or len(pairs) == count)
        and len(task.names) == num_labels == len(set(task.labels))
        and targets.ndim == offsets.ndim == 1
        and np.issubdtype(targets.dtype, np.integer)
        and np.issubdtype(offsets.dtype, np.integer)
        and offsets.shape == (count + 1,)
        and offsets[0] == 0
        and offsets[-1] == len(targets)
        and bool((np.diff(offsets) >= 0).all() and ((targets >= 0) & (targets < num_labels)).all())
        and (is_ner or count == len(targets))
        and (not is_ner or (num_labels > 0 and task.labels[0] == OUTSIDE))
    )
    if not fits:
        raise ValueError("its labels, texts and targets do not fit each other: adapt again from its examples")
    nothing = np.zeros((len(targets), 0), np.float32)
    return TaskState(
        task_type=task.task_type,
        labels=tuple(task.labels),
        names=tuple(task.names),
        name_features=np.zeros((num_labels, 0), np.float32),
        support=Support(texts, pairs, nothing, targets, offsets),
        solution=Solution(nothing, nothing, None, ()),
        calibration=Calibration(1.0, 0.0, 0.0),
    )
