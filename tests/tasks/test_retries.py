"""Tasks are retried for errors that may go away, and not for inputs that have to be fixed."""

from __future__ import annotations

import pytest
from prefect.states import Failed

from metamapping.errors import ConfigError
from tasks.evaluate import evaluate
from tasks.retries import may_go_away
from tasks.train import train


@pytest.mark.parametrize("task", [train, evaluate])
@pytest.mark.parametrize(("error", "is_retried"), [(ConfigError("fix it"), False), (OSError("busy"), True)])
def test_only_errors_that_may_go_away_are_retried(task, error, is_retried):
    assert task.retry_condition_fn is may_go_away
    assert may_go_away(task, None, Failed(data=error)) is is_retried
