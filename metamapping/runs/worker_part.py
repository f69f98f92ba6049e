"""Worker part: one machine's part of one round, in a new process, from its start to its end.

The process is ``worker_process``. It ends with this one, and its meta-steps and errors arrive on its output.

    train_part(run, 2, on_step=print)            # LostClusterError if any worker has ended
"""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress

from metamapping.errors import ConfigError, StoreError
from metamapping.runs.cluster import Cluster
from metamapping.runs.folder import RunFolder

StepCallback = Callable[[int, float], None]

PROGRESS_PREFIX = "meta-step "
CONFIG_ERROR_PREFIX = "configuration: "
NUM_LAST_LINES = 20
LOOK_SECONDS = 10.0
# After a round's checkpoint is written, the chief uploads its curves, and the workers wait for each other.
GRACE_SECONDS = 300.0


class LostClusterError(RuntimeError):
    """A worker's process has failed, mostly because that of another worker has ended.

    Attributes:
        step: The meta-steps of the round that were done.
        sentence: What happened and what comes next, without the output of the process.
    """

    def __init__(self, sentence: str, *, step: int, last_lines: Sequence[str]) -> None:
        super().__init__(f"{sentence}. The last output lines:\n{''.join(last_lines)}")
        self.step, self.sentence = step, sentence


def train_part(run: RunFolder, round: int, on_step: StepCallback | None = None) -> None:
    """Train this machine's part of a round in a new process; the chief's process writes the checkpoint.

    The process waits for all workers. It is ended if the round gets its checkpoint without it.

    Args:
        run: An opened run.
        round: The round that all workers train.
        on_step: Called after each meta-step with the number of steps done and the step's loss.

    Raises:
        ConfigError: TF_CONFIG does not describe a cluster, or the configuration cannot be trained by it.
        LostClusterError: The process failed.
    """
    cluster = Cluster.of_environment()
    process = subprocess.Popen(
        _command(run, round),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    ended = threading.Event()
    threading.Thread(target=_end_when_trained, args=(process, ended, run, round), daemon=True).start()
    done = 0
    last_lines: deque[str] = deque(maxlen=NUM_LAST_LINES)
    try:
        for line in process.stdout:
            if line.startswith(CONFIG_ERROR_PREFIX):
                raise ConfigError(line.removeprefix(CONFIG_ERROR_PREFIX).strip())
            if not line.startswith(PROGRESS_PREFIX):
                last_lines.append(line)
                continue
            step, loss = line.removeprefix(PROGRESS_PREFIX).split()
            done = int(step)
            if on_step is not None:
                on_step(done, float(loss))
        code = process.wait()
    finally:
        ended.set()
        process.kill()
        process.wait()
    if code:
        where = f"after meta-step {done}" if done else "before its first meta-step"
        sentence = (
            f"round {round} stopped {where}: {_cause(code, cluster, last_lines)}. Training resumes from the "
            f"last partial checkpoint as soon as all {len(cluster.addresses)} workers run again"
        )
        raise LostClusterError(sentence, step=done, last_lines=last_lines)


def _cause(code: int, cluster: Cluster, last_lines: Sequence[str]) -> str:
    """Why a process has failed, as far as its exit code and its output tell."""
    if code < 0:
        name = signal.Signals(-code).name
        hint = ", as it happens when memory runs out" if -code == signal.SIGKILL else ""
        return f"the process of worker {cluster.index} was ended by {name}{hint}"
    if others := cluster.named_in(last_lines):
        return f"worker {cluster.index} has lost {others}, whose own output may say why"
    last = next((line.strip() for line in reversed(last_lines) if line.strip()), "it has printed nothing")
    return f"the process of worker {cluster.index} has failed (exit code {code}): {last:.500}"


def _end_when_trained(
    process: subprocess.Popen[str], ended: threading.Event, run: RunFolder, round: int
) -> None:
    """End a process that waits for others who have finished the round and will not come back to it."""
    while not ended.wait(LOOK_SECONDS):
        with suppress(StoreError):  # a store that does not answer at this moment is asked again
            if run.read_training(round) is None:
                continue
            if not ended.wait(GRACE_SECONDS):
                process.kill()
            return


def _command(run: RunFolder, round: int) -> list[str]:
    return [sys.executable, "-m", "metamapping.runs.worker_process", run.place, str(round)]
