"""Moving: a server follows an alias, and its tasks move to the new encoder one after another.

    follow(service, Registry(home), "production", run_id)        # in a thread

A task is adapted again from the texts of its examples. It stays where it is if it would be worse there by the
estimate from its own examples, or if it was stored without texts; its encoder stays in memory as long.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from metamapping.errors import StoreError
from metamapping.runs.folder import RunFolder
from metamapping.runs.registry import Registry
from metamapping.serving.registry import NoSuchTaskError, TaskRegistry
from metamapping.serving.service import Service
from metamapping.storage import remote

if TYPE_CHECKING:  # these import the runtime, or TensorFlow
    from metamapping.adaptation.mapper import MetaMapper
    from metamapping.adaptation.task_mapping import Mapping

POLL_SECONDS = 15.0
_log = logging.getLogger("uvicorn.error")


def follow(service: Service, registry: Registry, alias: str, current: str) -> None:
    """Switch the server to whatever run has an alias, for ever.

    Args:
        service: The service, which may still be loading.
        registry: The registry of the runs.
        alias: ``production`` or ``candidate``.
        current: ID of the run that the service was started with.
    """
    while True:
        if service.is_loaded:
            current = look_once(service, registry, alias, current)
        time.sleep(POLL_SECONDS)


def look_once(service: Service, registry: Registry, alias: str, current: str) -> str:
    """Switch the server if another run has the alias now, and move the tasks that are on other encoders.

    Args:
        service: The service, loaded.
        registry: The registry of the runs.
        alias: ``production`` or ``candidate``.
        current: ID of the run whose encoder the service uses.

    Returns:
        ID of the run whose encoder it uses now: the old one if the new one cannot be read.
    """
    try:
        wanted = registry.aliases.get(alias, current)
        if wanted != current:
            service.switch(remote.open_folder(RunFolder(registry.home, wanted).published))
            _log.info("%s is %s now, instead of %s", alias, wanted, current)
            current = wanted
        for sentence in service.move_tasks():
            _log.info("%s", sentence)
    except (StoreError, OSError, ValueError) as error:  # what is served is served on
        _log.warning("%s cannot be followed at the moment: %s", alias, error)
    return current


def move_task(tasks: TaskRegistry, name: str, mapper: MetaMapper) -> str:
    """Adapt a task again on another encoder, unless it would be worse there.

    Args:
        tasks: The tasks.
        name: Name of the task.
        mapper: The other encoder.

    Returns:
        A sentence about what was done, and why.
    """
    from metamapping.adaptation.readaptation import left_out_accuracy, readapt

    said = [f"task {name!r} was deleted"]

    def change(mapping: Mapping) -> Mapping:
        try:
            moved = readapt(mapping, mapper)
        except ValueError as error:
            said.append(f"task {name!r} stays on its encoder: {error}")
            return mapping
        before, after = left_out_accuracy(mapping), left_out_accuracy(moved)
        if before is not None and after is not None and after < before:
            said.append(f"task {name!r} stays on its encoder: {after:.3f} instead of {before:.3f}")
            return mapping
        scores = "" if before is None or after is None else f": {after:.3f}, before {before:.3f}"
        said.append(f"task {name!r} is on the new encoder{scores}")
        return moved

    try:
        tasks.replace(name, change)
    except NoSuchTaskError:
        return said[0]
    return said[-1]
