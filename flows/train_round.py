"""The flow that trains one round of a run.

As deployments, the stages of a round are processes of their own, each of which starts TensorFlow and builds
the encoder. Where the variable ``METAMAPPING_EVALUATE_AFTER_TRAINING`` is 1, as one worker process for both
pools sets it, this flow also measures the round's scores, so that the stage ``evaluate-round`` finds them in
the run's folder. Whatever goes wrong with that is left to that stage, which can be retried alone.
"""

from __future__ import annotations

import os
from typing import Annotated, Any

from prefect.logging import get_run_logger
from pydantic import Field

from flows.stage_flow import stage_flow
from metamapping.errors import ConfigError
from tasks.evaluate import evaluate
from tasks.train import is_trained, train

EVALUATE_AFTER_TRAINING = "METAMAPPING_EVALUATE_AFTER_TRAINING"


@stage_flow("train-round", "train {run_id} round {round}")
def train_round(
    run_id: str, round: Annotated[int, Field(ge=1)], home: str = ".metamapping"
) -> dict[str, Any]:
    """Train a round from the checkpoint that the history names; a finished round is not trained again.

    Args:
        run_id: ID of the run, as `meta-pretraining` named it: `<name>-<16 hexadecimal digits>`.
        round: Number of the round to train; the rounds before it must be finished.
        home: Folder of the store and the runs, as in the run's configuration.
    """
    # If a process was killed while it evaluated, Retry on this flow leaves evaluating to its own stage.
    evaluates = evaluates_after_training() and not is_trained(home, run_id, round)
    report = train(home, run_id, round)
    if evaluates:
        try_to_evaluate(home, run_id, round)
    return report


def try_to_evaluate(home: str, run_id: str, round: int) -> None:
    """Evaluate a round that this process has trained; an error does not make the training fail.

    Args:
        home: As for the flow.
        run_id: As for the flow.
        round: As for the flow.
    """
    try:
        evaluate(home, run_id, round)
    except Exception as error:
        get_run_logger().warning(
            "round %d is trained, but could not be evaluated in the same process; the stage evaluate-round "
            "tries it again: %s",
            round,
            error,
        )


def evaluates_after_training() -> bool:
    """Whether the process that has trained a round evaluates it as well; by default it does not.

    Raises:
        ConfigError: The variable is neither 0 nor 1.
    """
    value = os.environ.get(EVALUATE_AFTER_TRAINING) or "0"
    if value not in ("0", "1"):
        raise ConfigError(f"{EVALUATE_AFTER_TRAINING} is {value!r}: expected 1 to evaluate, or 0")
    return value == "1"
