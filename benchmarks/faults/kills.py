"""Kills: SIGKILL at random moments, again and again, until the run completes.

Every run has the same configuration and a home of its own. The moment of each kill is drawn from a generator
with the run's seed, uniformly between the start and the duration of an undisturbed run, so that on average
half of a first attempt is done when it is killed. The same seed kills at the same seconds again.

    killed = kill_until_done(pipeline, config, home, undisturbed=undisturbed, seed=7, seconds=20.0)
    assert not killed.faults
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml

from benchmarks.faults.pipeline import TINY, Commands, Forks, finish
from benchmarks.faults.watcher import Watcher

# If every attempt were killed, a run would never end: after this many kills, the last attempt is not killed.
# Four or five kills are usual; if other work slows the machine down after the undisturbed run, all are used.
MOST_KILLS = 10
BIT_FOR_BIT = ("report.json", "model.safetensors", "mapping.safetensors", "tokenizer.json", "config.json")


@dataclass(frozen=True)
class Killed:
    """How one run went: the seconds after which its attempts were killed, and what was wrong at its end."""

    seed: int
    kills: tuple[float, ...]
    num_looks: int
    faults: tuple[str, ...]

    def __str__(self) -> str:
        moments = ", ".join(f"{each:.2f}" for each in self.kills)
        return f"seed {self.seed}: killed after {moments} s; {'; '.join(self.faults) or 'nothing lost'}"


def write_config(folder: Path) -> Path:
    """Write the configuration of a run that takes seconds: two rounds that go through every stage."""
    config = yaml.safe_load(TINY.read_text(encoding="utf-8"))
    for source in config["sources"]:
        source["files"] = [str((TINY.parent / file).resolve()) for file in source["files"]]
    config["convergence"] = {"min_rounds": 2, "max_rounds": 2}
    config["adjustment"] = {"moves": []}  # so that the second round continues from the first
    config["training"] = {**config["training"], "meta_steps": 4, "solver": "plain-ridge"}
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "tiny.yaml"
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    return path


def published(home: Path) -> Path:
    """The folder that the only run in ``home`` published."""
    (folder,) = (home / "runs").glob("*/published")
    return folder


def differences(home: Path, undisturbed: Path) -> list[str]:
    """Every published file that differs between two homes, and whether the rounds' scores do."""
    found = [
        f"{name} differs from the undisturbed run"
        for name in BIT_FOR_BIT
        if (published(home) / name).read_bytes() != (published(undisturbed) / name).read_bytes()
    ]
    scores = [
        {file.name: file.read_bytes() for file in published(each).parent.glob("validation-*.json")}
        for each in (home, undisturbed)
    ]
    return found if scores[0] == scores[1] else [*found, "the rounds' scores differ"]


def run_undisturbed(pipeline: Forks | Commands, config: Path, home: Path) -> float:
    """Run to the end, and return the duration in seconds."""
    started = time.monotonic()
    finish(pipeline.start(config, home))
    return time.monotonic() - started


def kill_until_done(
    pipeline: Forks | Commands, config: Path, home: Path, *, undisturbed: Path, seed: int, seconds: float
) -> Killed:
    """Start a run, kill it within ``seconds`` and start it again, until an attempt ends before its kill.

    Args:
        pipeline: What starts an attempt.
        config: The configuration.
        home: A new home.
        undisturbed: The home of the undisturbed run to compare with.
        seed: Decides the moments of the kills.
        seconds: The duration of the undisturbed run.
    """
    rng = np.random.default_rng([seed])
    kills: list[float] = []
    faults: list[str] = []
    with Watcher(home) as watcher:
        while True:
            attempt = pipeline.start(config, home)
            moment = float(rng.uniform(0.0, seconds)) if len(kills) < MOST_KILLS else float("inf")
            while attempt.poll() is None and time.monotonic() - attempt.started < moment:
                time.sleep(0.005)
            if attempt.poll() is not None:
                break
            attempt.kill()
            attempt.wait()
            kills.append(moment)
    if attempt.wait() != 0:
        faults.append(f"exit code {attempt.wait()}: {attempt.output()[-500:]}")
    else:
        faults += differences(home, undisturbed)
    return Killed(seed, tuple(kills), watcher.num_looks, (*faults, *watcher.faults))


def kill_runs(
    pipeline: Forks | Commands,
    folder: Path,
    *,
    seeds: range,
    on_run: Callable[[Killed], None] = lambda killed: print(killed, flush=True),
) -> list[Killed]:
    """Run the configuration undisturbed once, then kill one run for each seed; each outcome is printed."""
    config = write_config(folder)
    undisturbed = folder / "undisturbed"
    seconds = run_undisturbed(pipeline, config, undisturbed)
    runs = []
    for seed in seeds:
        home = folder / f"seed-{seed}"
        runs.append(
            kill_until_done(pipeline, config, home, undisturbed=undisturbed, seed=seed, seconds=seconds)
        )
        on_run(runs[-1])
    return runs
