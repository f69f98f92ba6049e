"""Training one round on several machines, under ``training.devices: multi-worker``.

Every machine runs the same training process, ``worker_process``, with its own TF_CONFIG and the same
``home``. On the chief, which is worker 0, it is started by the training stage, and on the others by
``follow``. Only the chief writes. If one process dies, the others end too, and all of them start again from
the last partial checkpoint. Each round gets a new process, because a process can join a cluster only once.

    train_together(run, 2)                       # the chief's stage
    follow(run)                                  # any other machine, until the run's verdict is final
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable

from metamapping.config.schema import PRETRAINED, RunConfig
from metamapping.errors import ConfigError
from metamapping.rounds.next_round import mean_of_rounds
from metamapping.runs.folder import RunFolder, deciding_settings

StepCallback = Callable[[int, float], None]

POLL_SECONDS = 1.0
PROGRESS_PREFIX = "meta-step "
NUM_LAST_LINES = 20


def train_together(run: RunFolder, round: int, on_step: StepCallback | None = None) -> None:
    """Train this machine's part of a round in a new process; the chief's process writes the checkpoint.

    Args:
        run: An opened run.
        round: The round that all workers train.
        on_step: Called after each meta-step with the number of steps done and the step's loss.

    Raises:
        ConfigError: TF_CONFIG does not describe a cluster.
        RuntimeError: The process failed; the message contains its last output lines.
    """
    worker = worker_index()
    command = [sys.executable, "-m", "metamapping.runs.worker_process", run.place, str(round)]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert process.stdout is not None
    last_lines: deque[str] = deque(maxlen=NUM_LAST_LINES)
    try:
        for line in process.stdout:
            if not line.startswith(PROGRESS_PREFIX):
                last_lines.append(line)
            elif on_step is not None:
                step, loss = line.removeprefix(PROGRESS_PREFIX).split()
                on_step(int(step), float(loss))
        code = process.wait()
    finally:
        process.kill()
        process.wait()
    if code:
        raise RuntimeError(
            f"worker {worker} could not finish round {round} (exit code {code}). Once all workers run "
            "again, training resumes from the last partial checkpoint. The last output lines:\n"
            f"{''.join(last_lines)}"
        )


def follow(run: RunFolder, *, on_round: Callable[[str], None] = lambda message: None) -> None:
    """Take part in every round that the chief trains, until the run's verdict is final.

    A round that fails is retried.

    Args:
        run: An opened run.
        on_round: Called with a message when a round starts or fails.

    Raises:
        ConfigError: This machine is the chief.
    """
    if worker_index() == 0:
        raise ConfigError("worker 0 of TF_CONFIG is the chief: start the run itself on this machine")
    while True:
        history = run.read_history()
        if history and history[-1].verdict.is_final:
            return
        round = len(history) + 1
        if mean_of_rounds(history) or run.read_training(round) is not None:
            time.sleep(POLL_SECONDS)
            continue
        on_round(f"round {round}")
        try:
            train_together(run, round)
        except RuntimeError as error:
            on_round(str(error))
            time.sleep(POLL_SECONDS)


def await_run(config: RunConfig) -> RunFolder:
    """Wait until the chief has opened the run of a configuration.

    Args:
        config: The configuration that the chief was started with.

    Returns:
        The run.

    Raises:
        ConfigError: ``home`` is an address, where a run can only be found by its id.
    """
    if "://" in config.home:
        raise ConfigError(
            f"home {config.home!r} is an address, where a run is found by its id: give it as `--run`"
        )
    while True:
        for path in RunFolder(config.home, config.name).path.parent.glob(f"{config.name}-*/run.json"):
            run = RunFolder.at(path.parent)
            # The start of an opened run is pinned.
            ours, opened = (each.model_copy(update={"start": PRETRAINED}) for each in (config, run.config))
            if deciding_settings(opened) == deciding_settings(ours):
                return run
        time.sleep(POLL_SECONDS)


def worker_index() -> int:
    """Read this machine's index from TF_CONFIG.

    Returns:
        The index, from 0; worker 0 is the chief.

    Raises:
        ConfigError: TF_CONFIG is missing or does not describe a cluster of workers.
    """
    text = os.environ.get("TF_CONFIG", "")
    expected = '{"cluster": {"worker": ["host:port", ...]}, "task": {"type": "worker", "index": 0}}'
    try:
        config = json.loads(text)
        workers, task = config["cluster"]["worker"], config["task"]
        index = int(task["index"])
        is_valid = list(config["cluster"]) == ["worker"] and task["type"] == "worker" and index < len(workers)
    except (ValueError, KeyError, TypeError):
        is_valid = False
    if not is_valid:
        raise ConfigError(
            f"training.devices is multi-worker, but TF_CONFIG is {text!r}: expected {expected}, with every "
            "machine under `worker` (the first is the chief) and its own index"
        )
    return index
