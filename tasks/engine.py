"""The engine: the task runner of a flow, as the configuration selects it.

Every finished stage is in the store, so a task may run anywhere, and more than once: a worker that dies
loses no finished work. Dask and Ray restart its tasks on other workers. A process pool fails as a whole;
then the work is restarted on a new pool, where finished stages are found in the store.

    prepared = run_on_engine(config.engine, lambda: prepare(config))
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable, Iterator
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack, contextmanager
from typing import Any, TypeVar

from prefect import get_client
from prefect.context import FlowRunContext
from prefect.logging import get_run_logger
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.task_runners import ProcessPoolTaskRunner, TaskRunner, ThreadPoolTaskRunner

from metamapping.config.engine import EngineSpec
from metamapping.errors import ConfigError

Result = TypeVar("Result")

NUM_POOLS = 4


def check_engine(spec: EngineSpec) -> None:
    """Check, before anything runs, that the runner is installed.

    Args:
        spec: The ``engine`` section of the configuration.

    Raises:
        ConfigError: The runner needs an extra that is not installed.
    """
    if spec.runner in ("dask", "ray") and importlib.util.find_spec(f"prefect_{spec.runner}") is None:
        raise ConfigError(
            f"engine.runner {spec.runner!r} needs the extra `{spec.runner}`, which is not installed: "
            f"pip install 'metamapping[app,{spec.runner}]', or choose `threads` or `processes`"
        )


def run_on_engine(spec: EngineSpec, work: Callable[[], Result]) -> Result:
    """Run a function whose submitted tasks are executed by the engine.

    Args:
        spec: The engine.
        work: Submits tasks and waits for them. It is called again, up to ``NUM_POOLS`` times, if a process
            pool fails.

    Returns:
        The result of ``work``.

    Raises:
        ConfigError: The engine is not installed.
        BrokenProcessPool: Every one of the process pools failed.
    """
    check_engine(spec)
    for _ in range(NUM_POOLS - 1):
        try:
            with _engine(spec):
                return work()
        except BrokenProcessPool:
            get_run_logger().warning("a worker process has died: the work continues in a new pool")
    with _engine(spec):
        return work()


@contextmanager
def _engine(spec: EngineSpec) -> Iterator[None]:
    """Within the block, submitted tasks run on the engine."""
    flow = FlowRunContext.get()
    assert flow is not None, "tasks are submitted within a flow"
    with ExitStack() as stack:
        if spec.runner != "threads":
            # Without the address, each worker process would start a server of its own where this process
            # uses an embedded one.
            client = stack.enter_context(get_client(sync_client=True))
            stack.enter_context(temporary_settings({PREFECT_API_URL: str(client.api_url)}))
        runner = stack.enter_context(_runner_of(spec))
        stack.enter_context(flow.model_copy(update={"task_runner": runner}))
        yield


def _runner_of(spec: EngineSpec) -> TaskRunner[Any]:
    num_workers = spec.num_workers or os.cpu_count() or 2
    if spec.runner == "threads":
        return ThreadPoolTaskRunner(max_workers=num_workers)
    if spec.runner == "processes":
        return ProcessPoolTaskRunner(max_workers=num_workers)
    if spec.runner == "dask":
        from prefect_dask.task_runners import DaskTaskRunner

        if spec.address is not None:
            return DaskTaskRunner(address=spec.address)
        # One thread per process: with several, tasks would wait for each other's Python code.
        local = {"n_workers": num_workers, "threads_per_worker": 1, "dashboard_address": None}
        return DaskTaskRunner(cluster_kwargs={**local, "host": "127.0.0.1"})
    from prefect_ray.task_runners import RayTaskRunner

    # prefect_ray has no type annotations.
    ray: TaskRunner[Any]
    if spec.address is not None:
        ray = RayTaskRunner(address=spec.address)
    else:
        ray = RayTaskRunner(init_kwargs={"num_cpus": num_workers, "include_dashboard": False})
    return ray
