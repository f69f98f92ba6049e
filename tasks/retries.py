"""Which errors a task is retried for: those that may go away by themselves."""

from __future__ import annotations

from typing import Any

from prefect import State, Task
from prefect.client.schemas.objects import TaskRun

from metamapping.errors import ConfigError


def may_go_away(task: Task[..., Any], task_run: TaskRun, state: State) -> bool:
    """Whether a failed task is worth another try; an input that has to be fixed stays wrong.

    Args:
        task: The task.
        task_run: Its run.
        state: The failed state, with the error.
    """
    return not isinstance(state.result(raise_on_failure=False), ConfigError)
