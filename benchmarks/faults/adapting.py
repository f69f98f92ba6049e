"""Killed adaptations: SIGKILL to `metamapping adapt`, with tuning and without, over a task that is in use.

The task's folder must at every time be the old task or the new one, whole and with its checksums.

    lost = kill_adaptations(published, folder, num_kills=20, seed=0, options=("--tune",))
"""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from metamapping.adaptation.saved.task_folder import read_task
from metamapping.errors import StoreError

_TEXTS = {
    "delivery": ("where is my parcel", "the delivery is late", "it has not arrived", "no parcel came"),
    "refund": ("i want my money back", "please refund the order", "send back the money", "a refund please"),
}


def kill_adaptations(
    published: Path, folder: Path, *, num_kills: int, seed: int, options: Sequence[str] = ()
) -> list[list[str]]:
    """Kill `metamapping adapt` while it replaces a task.

    Args:
        published: The encoder.
        folder: A new folder for the task and its examples.
        num_kills: How many times it is started and killed.
        seed: Decides the moments of the kills.
        options: Further options of the command.

    Returns:
        What was wrong after each kill.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rng, task = np.random.default_rng([seed]), folder / "task"
    files = [_write_examples(folder / f"{number}.csv", number) for number in (3, 4)]
    started = time.monotonic()
    _start(published, files[0], task, options, folder / "adapt.log").wait()
    seconds = time.monotonic() - started
    lost = []
    for kill in range(num_kills):
        process = _start(published, files[(kill + 1) % 2], task, options, folder / "adapt.log")
        # Most of the time is imports; the second half is where files are written.
        time.sleep(rng.uniform(0.5, 1.05) * seconds)
        process.send_signal(signal.SIGKILL)
        process.wait()
        lost.append(_faults(task))
        print(f"kill {kill + 1} of adapt: {'; '.join(lost[-1]) or 'nothing lost'}", flush=True)
    return lost


def _start(
    published: Path, examples: Path, task: Path, options: Sequence[str], log: Path
) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "metamapping", "adapt", str(published), str(examples)]
    with log.open("ab") as out:
        return subprocess.Popen(
            [*command, "--label", "label", "--out", str(task), *options], stdout=out, stderr=out
        )


def _write_examples(path: Path, num_per_label: int) -> Path:
    rows = [f"{text},{label}" for label, texts in _TEXTS.items() for text in texts[:num_per_label]]
    path.write_text("\n".join(["text,label", *rows]) + "\n", encoding="utf-8")
    return path


def _faults(task: Path) -> list[str]:
    try:
        num_examples = read_task(task).state.support.num_examples
    except (StoreError, OSError) as error:
        return [str(error)]
    return [] if num_examples in (6, 8) else [f"the task has {num_examples} examples, expected 6 or 8"]
