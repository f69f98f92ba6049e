"""Training one round on several machines, under ``training.devices: multi-worker``.

Every machine runs the same training process, ``worker_process``, with its own TF_CONFIG and the same
``home``. On the chief, which is worker 0, it is started by the training stage, and on the others by
``follow``. Only the chief writes. If one process dies, the others end too, and all of them start again from
the last partial checkpoint. Each round gets a new process, because a process can join a cluster only once.

    train_together(run, 2)                       # the chief's stage
    follow(run)                                  # any other machine, until the run's verdict is final
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from metamapping.config.schema import PRETRAINED, RunConfig
from metamapping.errors import ConfigError, StoreError
from metamapping.rounds.next_round import mean_of_rounds
from metamapping.runs.cluster import Cluster
from metamapping.runs.folder import RUN_FILE, RunFolder, deciding_settings
from metamapping.runs.worker_part import LostClusterError, StepCallback, train_part
from metamapping.storage import leases, remote

POLL_SECONDS = 1.0
POLL_RUNS_SECONDS = 3.0  # listing the runs of an object store takes a request for each of them
MAX_USELESS_ATTEMPTS = 3

_log = logging.getLogger(__name__)


def train_together(run: RunFolder, round: int, on_step: StepCallback | None = None) -> None:
    """Train a round with the other workers; this machine, the chief, writes its checkpoint.

    When a worker is lost, the round is tried again: the new attempt waits for all workers, and resumes from
    the last partial checkpoint. What fails at the same meta-step each time is not tried for ever.

    Args:
        run: An opened run.
        round: The round that all workers train.
        on_step: Called after each meta-step with the number of steps done and the step's loss.

    Raises:
        ConfigError: TF_CONFIG does not describe a cluster, or the configuration cannot be trained by it.
        LostClusterError: Several attempts have got no further than those before them.
        StoreError: Another machine has taken over the run.
    """

    def note(step: int, loss: float) -> None:
        # The process that writes does not hold the run's lease: this one does, and ends it with itself.
        leases.check(run.path)
        if on_step is not None:
            on_step(step, loss)

    furthest = num_useless = 0
    while True:
        try:
            train_part(run, round, note)
            return
        except LostClusterError as lost:
            leases.check(run.path)
            if run.read_training(round) is not None:
                return
            num_useless = 0 if lost.step > furthest else num_useless + 1
            furthest = max(furthest, lost.step)
            if num_useless == MAX_USELESS_ATTEMPTS:
                raise
            _log.warning("%s", lost.sentence)
        time.sleep(POLL_SECONDS)


def follow(run: RunFolder, *, on_round: Callable[[str], None] = lambda message: None) -> None:
    """Take part in every round that the chief trains, until the run's verdict is final.

    A round that fails is retried.

    Args:
        run: The run, which the chief need not have opened yet.
        on_round: Called with a message when a round starts or fails, and before waiting for the chief.

    Raises:
        ConfigError: This machine is the chief, or the configuration cannot be trained by this cluster.
    """
    if Cluster.of_environment().is_chief:
        raise ConfigError("worker 0 of TF_CONFIG is the chief: start the run itself on this machine")
    if not run.is_open:
        on_round(f"waiting until the chief opens run {run.run_id} in {remote.place_of(run.path.parent)}")
        while not run.is_open:
            time.sleep(POLL_SECONDS)
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
            train_part(run, round)
        except LostClusterError as lost:
            if run.read_training(round) is None:
                on_round(lost.sentence)
            time.sleep(POLL_SECONDS)


def await_run(config: RunConfig) -> RunFolder:
    """Wait until the chief has opened the run of a configuration.

    Args:
        config: The configuration that the chief was started with.

    Returns:
        The run.

    Raises:
        StoreError: ``home`` is at an address that does not answer.
    """
    runs, others = RunFolder(config.home, config.name).path.parent, set()
    while True:
        for path in remote.list_folders(runs, RUN_FILE):
            if path.name in others or not path.name.startswith(f"{config.name}-"):
                continue
            run = RunFolder.at(path)
            if _has_settings(run, config):
                return run
            others.add(path.name)
        time.sleep(POLL_RUNS_SECONDS)


def _has_settings(run: RunFolder, config: RunConfig) -> bool:
    """Whether a run was opened with a configuration."""
    try:
        # The start of an opened run is pinned.
        ours, opened = (each.model_copy(update={"start": PRETRAINED}) for each in (config, run.config))
    except (ConfigError, StoreError):
        return False  # `metamapping runs` says what is wrong with it.
    return deciding_settings(opened) == deciding_settings(ours)
