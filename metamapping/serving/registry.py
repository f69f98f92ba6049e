"""The tasks of a server, in memory and on disk.

    tasks = TaskRegistry(folder, mapper, max_tasks=1000)
    tasks.load()                                  # tasks that an earlier server stored
    tasks.put("orders", mapper.adapt(texts, labels))
    tasks.get("orders").predict(["it has not arrived"])

A task is on disk before ``put`` returns. A task that cannot be read is listed in ``damaged`` with the
reason, and the others are served.
"""

from __future__ import annotations

import logging
import re
import shutil
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

from metamapping.errors import StoreError
from metamapping.storage.atomic_folder import recover_folders, remove_abandoned_folders
from metamapping.storage.manifest import MANIFEST

if TYPE_CHECKING:  # these modules import TensorFlow
    from metamapping.adaptation.featurizer import Featurizer
    from metamapping.adaptation.mapper import MetaMapper
    from metamapping.adaptation.task_mapping import LoadedEncoder, Mapping

# A name is the name of a folder: no separator, and no leading dot, which temporary directories have.
NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$"

# `metamapping report --open` writes its page next to the files of the task.
_FILES = {"task.json", "mapping.safetensors", MANIFEST, "report.html"}
_log = logging.getLogger("uvicorn.error")


class NoSuchTaskError(LookupError):
    """There is no task of that name."""


class DamagedTaskError(RuntimeError):
    """The task exists on disk, but cannot be read."""


class TooManyTasksError(RuntimeError):
    """The server has reached its limit of tasks."""


@dataclass(frozen=True)
class _Encoder:
    """An encoder that tasks were kept on, when another one is in production."""

    featurizer: Featurizer


class TaskRegistry:
    """Tasks by name, for any number of reading and writing threads.

    Args:
        folder: Folder in which each task has a folder of its own.
        mapper: The encoder to which all tasks belong.
        max_tasks: Limit of tasks, damaged ones included.
        load_encoder: Loads the encoder of tasks on disk that belong to another one. Default: such tasks
            cannot be read.

    Attributes:
        mapper: The encoder.
        damaged: Why a task on disk cannot be read, by name.
    """

    def __init__(
        self,
        folder: Path,
        mapper: MetaMapper,
        *,
        max_tasks: int,
        load_encoder: Callable[[str], Featurizer] | None = None,
    ) -> None:
        self.mapper = mapper
        self.damaged: dict[str, str] = {}
        self._folder, self._max_tasks = folder, max_tasks
        self._tasks: dict[str, Mapping] = {}
        self._load_encoder = load_encoder
        # Only tasks hold an encoder, so that it is freed with the last task that uses it.
        self._others: WeakValueDictionary[str, Featurizer] = WeakValueDictionary()
        self._writers: WeakValueDictionary[str, threading.Lock] = WeakValueDictionary()
        self._writers_lock = threading.Lock()

    def load(self) -> None:
        """Read all tasks from disk."""
        from metamapping import Mapping

        self._folder.mkdir(parents=True, exist_ok=True)
        self._clean_up()
        for folder in sorted(self._folder.iterdir()):
            if not re.match(NAME_PATTERN, folder.name) or not _is_task(folder):
                continue  # Not a task: it is neither read, nor overwritten, nor deleted.
            try:
                self._tasks[folder.name] = Mapping.load(folder, self._encoder_of(folder))
            except (StoreError, OSError) as error:
                self.damaged[folder.name] = str(error)
                _log.warning("task %s is not served: %s", folder.name, error)

    def _clean_up(self) -> None:
        """Finish what a killed server had begun: a deleted task is gone, a task to be replaced is there."""
        for removed in self._folder.glob(".gone-*"):
            shutil.rmtree(removed, ignore_errors=True)
        recover_folders(self._folder)
        remove_abandoned_folders(self._folder)

    def _encoder_of(self, folder: Path) -> LoadedEncoder:
        """The encoder to read a task with: the registry's, or one that the task was kept on."""
        from metamapping.adaptation.saved.task_folder import read_task

        if self._load_encoder is None:
            return self.mapper
        saved = read_task(folder)
        if saved.model_fingerprint == self.mapper.featurizer.fingerprint:
            return self.mapper
        featurizer = self._others.get(saved.model_fingerprint)
        if featurizer is None:
            featurizer = self._load_encoder(saved.model_folder)
            self._others[saved.model_fingerprint] = featurizer
        return _Encoder(featurizer)

    def __len__(self) -> int:
        return len(self._tasks)

    def items(self) -> list[tuple[str, Mapping]]:
        """All tasks that can be used, with their names, in alphabetical order."""
        return sorted(self._tasks.copy().items())

    def get(self, name: str) -> Mapping:
        """Return a task.

        Args:
            name: Name of the task.

        Raises:
            NoSuchTaskError: There is no task of that name.
            DamagedTaskError: The task on disk cannot be read.
        """
        try:
            return self._tasks[name]
        except KeyError:
            if name in self.damaged:
                raise DamagedTaskError(
                    f"task {name!r} cannot be read ({self.damaged[name]}): replace it with PUT, or delete it"
                ) from None
            raise NoSuchTaskError(
                f"there is no task {name!r}: GET /tasks lists the tasks, PUT creates one"
            ) from None

    def put(self, name: str, mapping: Mapping) -> bool:
        """Store a task, and replace the task of that name.

        Args:
            name: A name that matches ``NAME_PATTERN``.
            mapping: The task.

        Returns:
            Whether the name is new.

        Raises:
            TooManyTasksError: The name is new, and the server has reached its limit.
            OSError: The task could not be written.
        """
        with self._lock(name):
            is_new = name not in self._tasks and name not in self.damaged
            if is_new and len(self._tasks) + len(self.damaged) >= self._max_tasks:
                raise TooManyTasksError(
                    f"there are {self._max_tasks} tasks, the limit of this server: delete one, or start "
                    "it with a higher --max-tasks"
                )
            if name in self.damaged:
                self._remove_folder(name)
                del self.damaged[name]
            mapping.save(self._folder / name)
            self._tasks[name] = mapping
            return is_new

    def change(self, name: str, change: Callable[[Mapping], None]) -> Mapping:
        """Change a task in place, and store it.

        Args:
            name: Name of the task.
            change: Called with the task while no other thread writes it.

        Returns:
            The changed task.

        Raises:
            NoSuchTaskError: There is no task of that name.
            DamagedTaskError: The task on disk cannot be read.
            OSError: The task could not be written; then it is as before the change.
        """
        from metamapping import Mapping

        with self._lock(name):
            mapping = self.get(name)
            change(mapping)
            try:
                mapping.save(self._folder / name)
            except OSError:
                # After a restart the server would load the task from disk: restore the same state now.
                self._tasks[name] = Mapping.load(self._folder / name, self._encoder_of(self._folder / name))
                raise
            return mapping

    def replace(self, name: str, change: Callable[[Mapping], Mapping]) -> bool:
        """Put another task in the place of a task, and store it; the old one answers requests meanwhile.

        Args:
            name: Name of the task.
            change: Called with the task while no other thread writes it; returns the new one, or the same.

        Returns:
            Whether it is another one now.

        Raises:
            NoSuchTaskError: There is no task of that name.
            DamagedTaskError: The task on disk cannot be read.
            OSError: The task could not be written; then it is as before.
        """
        with self._lock(name):
            mapping = self.get(name)
            changed = change(mapping)
            if changed is mapping:
                return False
            changed.save(self._folder / name)
            self._tasks[name] = changed
            return True

    def delete(self, name: str) -> None:
        """Delete a task, also a damaged one.

        Args:
            name: Name of the task.

        Raises:
            NoSuchTaskError: There is no task of that name.
        """
        with self._lock(name):
            if name not in self.damaged:
                self.get(name)
            self._remove_folder(name)
            self._tasks.pop(name, None)
            self.damaged.pop(name, None)

    def _remove_folder(self, name: str) -> None:
        # Renaming is atomic: after a crash the task is either there or gone.
        removed = self._folder / f".gone-{name}-{uuid.uuid4().hex[:8]}"
        (self._folder / name).rename(removed)
        shutil.rmtree(removed, ignore_errors=True)

    def _lock(self, name: str) -> threading.Lock:
        """A lock per name: writers of one task exclude each other, those of different tasks do not."""
        with self._writers_lock:
            return self._writers.setdefault(name, threading.Lock())


def _is_task(folder: Path) -> bool:
    """Whether a folder contains files of a task, possibly not all of them, and nothing else."""
    return folder.is_dir() and bool(files := {path.name for path in folder.iterdir()}) and files <= _FILES
