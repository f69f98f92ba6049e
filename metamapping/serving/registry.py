"""Registry: the tasks of a server, in memory and on disk.

    tasks = TaskRegistry(folder, mapper, max_tasks=1000)
    tasks.load()                                  # what an earlier server kept
    tasks.put("orders", mapper.adapt(texts, labels))
    tasks.get("orders").predict(["it has not arrived"])

A task is on disk before whoever put it is told so. One that cannot be read is named in
``damaged`` with the reason, and the others are served.
"""

from __future__ import annotations

import logging
import re
import shutil
import threading
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

from metamapping.errors import StoreError
from metamapping.storage.manifest import MANIFEST

if TYPE_CHECKING:
    from metamapping.adaptation.mapper import MetaMapper
    from metamapping.adaptation.task_mapping import Mapping

# A name is a folder's: no separator, and no leading dot, where drafts are.
NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$"

_FILES = {"task.json", "mapping.safetensors", MANIFEST}
_log = logging.getLogger("uvicorn.error")


class NoSuchTaskError(LookupError):
    """There is no task of that name."""


class DamagedTaskError(RuntimeError):
    """There is one on disk, but it cannot be read."""


class TooManyTasksError(RuntimeError):
    """The server holds as many tasks as it may."""


class TaskRegistry:
    """Tasks by name. Any number of threads may read and write."""

    def __init__(self, folder: Path, mapper: MetaMapper, *, max_tasks: int) -> None:
        self.mapper = mapper
        self.damaged: dict[str, str] = {}
        self._folder, self._max_tasks = folder, max_tasks
        self._tasks: dict[str, Mapping] = {}
        self._writing: WeakValueDictionary[str, threading.Lock] = WeakValueDictionary()
        self._naming = threading.Lock()

    def load(self) -> None:
        """Read the tasks on disk."""
        from metamapping import Mapping

        self._folder.mkdir(parents=True, exist_ok=True)
        for folder in sorted(self._folder.iterdir()):
            if not re.match(NAME_PATTERN, folder.name) or not _is_task(folder):
                continue  # Nobody's task: never read, and never written or deleted either.
            try:
                self._tasks[folder.name] = Mapping.load(folder, self.mapper)
            except (StoreError, OSError) as error:
                self.damaged[folder.name] = str(error)
                _log.warning("task %s is not served: %s", folder.name, error)

    def __len__(self) -> int:
        return len(self._tasks)

    def items(self) -> list[tuple[str, Mapping]]:
        """The tasks that can be asked, in order of their names."""
        return sorted(self._tasks.copy().items())

    def get(self, name: str) -> Mapping:
        """A task. Raises ``NoSuchTaskError`` or ``DamagedTaskError``."""
        try:
            return self._tasks[name]
        except KeyError:
            if name in self.damaged:
                raise DamagedTaskError(
                    f"task {name!r} cannot be read ({self.damaged[name]}): put it again, or delete it"
                ) from None
            raise NoSuchTaskError(
                f"there is no task {name!r}: GET /tasks names those that are there, PUT makes one"
            ) from None

    def put(self, name: str, mapping: Mapping) -> bool:
        """Keep a task under a name, in place of the one that had it; whether the name is new."""
        with self._lock(name):
            is_new = name not in self._tasks and name not in self.damaged
            if is_new and len(self._tasks) + len(self.damaged) >= self._max_tasks:
                raise TooManyTasksError(
                    f"there are {self._max_tasks} tasks, as many as this server holds: delete one, or start "
                    "it with a higher --max-tasks"
                )
            if name in self.damaged:
                self._remove_folder(name)
                del self.damaged[name]
            mapping.save(self._folder / name)
            self._tasks[name] = mapping
            return is_new

    def change(self, name: str, change: Callable[[Mapping], None]) -> Mapping:
        """Let ``change`` teach a task, and keep what it has learned."""
        from metamapping import Mapping

        with self._lock(name):
            mapping = self.get(name)
            change(mapping)
            try:
                mapping.save(self._folder / name)
            except OSError:
                # What the disk has is what a restart finds: memory must not know more.
                self._tasks[name] = Mapping.load(self._folder / name, self.mapper)
                raise
            return mapping

    def delete(self, name: str) -> None:
        """Forget a task, damaged ones too. Raises ``NoSuchTaskError``."""
        with self._lock(name):
            if name not in self.damaged:
                self.get(name)
            self._remove_folder(name)
            self._tasks.pop(name, None)
            self.damaged.pop(name, None)

    def _remove_folder(self, name: str) -> None:
        gone = self._folder / f".gone-{name}-{uuid.uuid4().hex[:8]}"
        (self._folder / name).rename(gone)
        shutil.rmtree(gone, ignore_errors=True)

    def _lock(self, name: str) -> threading.Lock:
        """One writer at a time for each name, and none waits for the writer of another."""
        with self._naming:
            return self._writing.setdefault(name, threading.Lock())


def _is_task(folder: Path) -> bool:
    """Whether a folder holds files of a task, whole or not, and nothing else."""
    return folder.is_dir() and bool(files := {path.name for path in folder.iterdir()}) and files <= _FILES
