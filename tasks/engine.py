"""Engine: what the tasks of a flow run on, as the configuration says.

Every stage lies in the store once it is done, so a task may run anywhere, and twice: a worker that dies
takes nothing along. Dask and Ray start its tasks again elsewhere; a pool of processes breaks as a whole,
and the work is then begun anew on a new pool, where what is done is found.

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
    """Refuse, before anything runs, a runner whose extra is not installed. Raises ``ConfigError``."""
    if spec.runner in ("dask", "ray") and importlib.util.find_spec(f"prefect_{spec.runner}") is None:
        raise ConfigError(
            f"engine.runner {spec.runner!r} needs the extra `{spec.runner}`, which is not installed: "
            f"pip install 'metamapping[app,{spec.runner}]', or choose `threads` or `processes`"
        )


def run_on_engine(spec: EngineSpec, work: Callable[[], Result]) -> Result:
    """The result of ``work``, whose submitted tasks run on the engine."""
    check_engine(spec)
    for _ in range(NUM_POOLS - 1):
        try:
            with _engine(spec):
                return work()
        except BrokenProcessPool:
            get_run_logger().warning("a worker process has died: the work goes on in new ones")
    with _engine(spec):
        return work()


@contextmanager
def _engine(spec: EngineSpec) -> Iterator[None]:
    """A block in which tasks that are submitted run on the engine."""
    flow = FlowRunContext.get()
    assert flow is not None, "only a flow has tasks to run"
    with ExitStack() as stack:
        if spec.runner != "threads":
            # Else a worker would start a server of its own, where this process has embedded one.
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
        from prefect_dask import DaskTaskRunner

        if spec.address is not None:
            return DaskTaskRunner(address=spec.address)
        # Processes of one thread: what a task does in Python keeps no other waiting.
        local = {"n_workers": num_workers, "threads_per_worker": 1, "dashboard_address": None}
        return DaskTaskRunner(cluster_kwargs={**local, "host": "127.0.0.1"})
    from prefect_ray import RayTaskRunner

    if spec.address is not None:
        return RayTaskRunner(address=spec.address)
    return RayTaskRunner(init_kwargs={"num_cpus": num_workers, "include_dashboard": False})
