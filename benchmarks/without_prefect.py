"""Stand-ins for the names that flows and tasks import from Prefect, for a run without it.

    from benchmarks.without_prefect import install
    install()                              # before the first import of ``flows`` or ``tasks``

A flow or task is then its plain function, ``submit`` runs it in a thread, and artifacts and logs are dropped.
"""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any
from unittest.mock import MagicMock
from uuid import UUID

from pydantic import BaseModel

MODULES = (
    "prefect",
    "prefect.artifacts",
    "prefect.cache_policies",
    "prefect.client.orchestration",
    "prefect.client.schemas.filters",
    "prefect.client.schemas.objects",
    "prefect.context",
    "prefect.deployments",
    "prefect.exceptions",
    "prefect.futures",
    "prefect.input",
    "prefect.logging",
    "prefect.logging.loggers",
    "prefect.settings",
    "prefect.states",
    "prefect.task_runners",
    "prefect.types._datetime",
    "prefect.utilities.engine",
)
# Twice as many as cores, because a function that waits for another's result occupies a thread meanwhile.
THREADS = ThreadPoolExecutor(2 * (os.cpu_count() or 2))


def install() -> None:
    """Put the stand-ins into ``sys.modules``, where imports find them."""
    for name in MODULES:
        sys.modules[name] = MagicMock(name=name)
    prefect = sys.modules["prefect"]
    prefect.flow, prefect.task = plain, plain
    prefect.runtime.deployment.id = None
    # Long work creates a progress artifact, and checks that it has got one.
    sys.modules["prefect.artifacts"].create_progress_artifact.return_value = UUID(int=0)
    prefect.runtime.flow_run.id = "00000000-0000-0000-0000-000000000000"
    prefect.runtime.flow_run.run_count = 1
    sys.modules["prefect.utilities.engine"].get_state_for_result.return_value = None
    # The class of a form, from which forms are derived.
    sys.modules["prefect.input"].RunInput = BaseModel
    # A flow that returns a state returns the data in it to its caller.
    sys.modules["prefect.states"].Completed = lambda *, data, **_: data


def plain(*function: Callable[..., Any], **_: Any) -> Any:
    """The stand-in for both decorators, with and without arguments."""
    if not function:
        return plain
    (called,) = function

    @functools.wraps(called)
    def run(*args: Any, wait_for: Any = None, **kwargs: Any) -> Any:
        return called(*map(result, args), **{name: result(value) for name, value in kwargs.items()})

    run.submit = functools.partial(THREADS.submit, run)
    run.with_options = lambda **_: run
    return run


def result(value: Any) -> Any:
    """The result of a submitted task, or the value itself."""
    return value.result() if isinstance(value, Future) else value
