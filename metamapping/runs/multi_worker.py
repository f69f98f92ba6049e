"""Workers: one round trained by processes of several machines, under ``training.devices: multi-worker``.

Every machine runs the same training process, with its own TF_CONFIG and the same ``home``; the chief,
worker 0, started it from its stage, the others from ``follow``. Only the chief writes. Where one of them
dies the others end too, and all start again from the last partial checkpoint. No TensorFlow here: a
round's process is a new one, since a cluster cannot be joined twice.

    train_together(run, round)                   # the chief's stage
    follow(run)                                  # any other machine, until the run has its verdict
    python -m metamapping.runs.worker_process RUN ROUND      # what both start
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from metamapping.config.schema import RunConfig
from metamapping.errors import ConfigError
from metamapping.rounds.next_round import mean_of_rounds
from metamapping.runs.folder import RunFolder, deciding_settings

if TYPE_CHECKING:
    from metamapping.runs.round_training import StepCallback

POLL_SECONDS = 1.0
PROGRESS_PREFIX = "meta-step "


def train_together(run: RunFolder, round: int, on_step: StepCallback | None = None) -> None:
    """This machine's part of a round, in a process of its own; the chief's leaves the checkpoint.

    Raises ``RuntimeError`` with the last words of the process where it failed.
    """
    worker_index()
    command = [sys.executable, "-m", "metamapping.runs.worker_process", run.place, str(round)]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert process.stdout is not None
    words: deque[str] = deque(maxlen=20)
    try:
        for line in process.stdout:
            if not line.startswith(PROGRESS_PREFIX):
                words.append(line)
            elif on_step is not None:
                step, loss = line.removeprefix(PROGRESS_PREFIX).split()
                on_step(int(step), float(loss))
        code = process.wait()
    finally:
        process.kill()
        process.wait()
    if code:
        raise RuntimeError(
            f"worker {worker_index()} could not finish round {round} (exit code {code}); once all workers "
            f"run again, it goes on from the last partial checkpoint. Its last words:\n{''.join(words)}"
        )


def follow(run: RunFolder, *, on_round: Callable[[str], None] = lambda words: None) -> None:
    """Take part in every round of a run that the chief trains, until its verdict is final.

    A round that fails is tried again. ``on_round`` is told what happens, in words.
    """
    if worker_index() == 0:
        raise ConfigError("worker 0 of TF_CONFIG is the chief: start the run itself on this machine")
    while True:
        history = run.read_history()
        if history and history[-1].verdict.is_final:
            return
        round = len(history) + 1
        if mean_of_rounds(history) or _is_trained(run, round):
            time.sleep(POLL_SECONDS)
            continue
        on_round(f"round {round}")
        try:
            train_together(run, round)
        except RuntimeError as error:
            on_round(str(error))
            time.sleep(POLL_SECONDS)


def await_run(config: RunConfig) -> RunFolder:
    """The run of a configuration, as soon as the chief has opened it."""
    if "://" in config.home:
        raise ConfigError(f"home {config.home!r} is an address, where a run is named by its id: give `--run`")
    while True:
        for path in RunFolder(config.home, config.name).path.parent.glob(f"{config.name}-*/run.json"):
            run = RunFolder.at(path.parent)
            if deciding_settings(run.config) == deciding_settings(config):
                return run
        time.sleep(POLL_SECONDS)


def worker_index() -> int:
    """This machine's number in TF_CONFIG. Raises ``ConfigError`` where TF_CONFIG says none."""
    text = os.environ.get("TF_CONFIG", "")
    wanted = '{"cluster": {"worker": ["host:port", ...]}, "task": {"type": "worker", "index": 0}}'
    try:
        config = json.loads(text)
        workers, task = config["cluster"]["worker"], config["task"]
        index = int(task["index"])
        is_right = list(config["cluster"]) == ["worker"] and task["type"] == "worker" and index < len(workers)
    except (ValueError, KeyError, TypeError):
        is_right = False
    if not is_right:
        raise ConfigError(
            f"training.devices is multi-worker, but TF_CONFIG is {text!r}: expected {wanted}, with every "
            "machine under `worker` (the first is the chief) and its own index"
        )
    return index


def _is_trained(run: RunFolder, round: int) -> bool:
    from metamapping.training.checkpoints import read_state

    return read_state(run.checkpoint(round)) is not None
