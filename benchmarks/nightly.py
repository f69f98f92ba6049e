"""Rows that arrive in batches: continuing from production every night, against training from the start.

    METAMAPPING_DATA=path/to/data python -m benchmarks.nightly [--home FOLDER] [--nights 5]

In: four train sources of ``benchmarks/real_run.yaml`` (reviews, intents, irony, a stance), four validation
and five test sources. On night k, the train sources have the first k of as many parts of their rows as there
are nights, in a random order that never changes; what is held out is whole from the first night on. Out: a
Markdown table of the nights. An interrupted measurement continues with the run that it was interrupted in:
finished ones of ``--home`` are only read again, with the seconds that they took.

The first night is the same for both ways: from the packaged MiniLM. From the second on, one continues from
production with a fraction of the meta-steps, as soon as there is something in production, and promotes by the
rules of ``promotion: automatic``; the other one trains from the start. Accuracy is the mean over the test
sources, on which nothing is chosen, of what is in production in the morning: the same episodes every night,
for both.
Seconds are CPU seconds of all threads and child processes, so that other work on the machine matters little.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import os
import shutil
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.real_run import packaged_encoder
from metamapping.config.loading import read_config
from metamapping.config.schema import RunConfig
from metamapping.config.sources import Source
from metamapping.rounds.records import RoundReport
from metamapping.rounds.statistics import paired_difference, round_accuracy
from metamapping.runs.folder import RunFolder
from metamapping.runs.pipeline import run_pipeline
from metamapping.runs.registry import Registry
from metamapping.runs.summary import test_report

SEED = 31
MEASURED = "cpu-seconds.txt"  # in the folder of a run
SPLIT_BY_LABEL = ("banking77",)  # in all three roles, each with labels of its own
TRAIN = ("reviews-software", "tweets-irony", "tweets-stance-feminist")
VALIDATION = ("reviews-outdoor-living", "tweets-offensive", "opinion-phrases")
TEST = ("reviews-kitchen-housewares", "snips", "trec6", "tweets-emotion")


class Morning(NamedTuple):
    """What one way has in the morning.

    Attributes:
        run: ID of the run that is in production.
        tests: Its scores on the test sources, and those of the encoder that it started from.
        seconds: CPU seconds of the night.
        is_new: Whether it is the run of this night.
    """

    run: str
    tests: RoundReport
    seconds: float
    is_new: bool


def main() -> None:
    """Print the table of "Every night: continue or train anew" in benchmarks/README.md."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--home", type=Path, default=Path(".metamapping/nightly"))
    parser.add_argument("--nights", type=int, default=5)
    parser.add_argument("--steps", type=int, default=120, help="meta-steps of a run that starts anew")
    parser.add_argument("--night-steps", type=int, default=40, help="meta-steps of a run that continues")
    parser.add_argument("--episodes", type=int, default=40, help="episodes of a held-out source")
    options = parser.parse_args()
    os.environ.setdefault("METAMAPPING_ENCODER", packaged_encoder())
    config = measured_config(read_config(Path(__file__).with_name("real_run.yaml")), options.episodes)
    print("| night | rows | continued | CPU s | trained anew | CPU s | continued − anew | promoted |")
    print("| --- " * 8 + "|", flush=True)
    for night in range(1, options.nights + 1):
        tonight, num_rows = with_rows(config, options.home / "rows", night / options.nights)
        home = options.home / "continued"
        # A fraction of the steps is enough only where there is something to continue from.
        steps = options.steps if Registry(home).production is None else options.night_steps
        continued = spend_night(
            tonight.model_copy(update={"start": "production"}), home, steps, promotes=True
        )
        if night == 1:
            before = round_accuracy(continued.tests.untrained())
            print(f"| before | 0 | {before.mean:.3f} | | | | | |")
            anew = continued  # the same training
        else:
            anew = spend_night(tonight, options.home / "anew", options.steps, promotes=False)
        print(f"| {' | '.join([str(night), f'{num_rows:,}', *cells_of(continued, anew)])} |", flush=True)


def cells_of(continued: Morning, anew: Morning) -> list[str]:
    """The cells of a night's row in the table."""
    return [
        f"{round_accuracy(continued.tests).mean:.3f}",
        f"{continued.seconds:.0f}",
        f"{round_accuracy(anew.tests).mean:.3f}",
        f"{anew.seconds:.0f}",
        paired_difference(continued.tests, anew.tests).signed,
        "yes" if continued.is_new else "no",
    ]


def measured_config(config: RunConfig, num_episodes: int) -> RunConfig:
    """The configuration with the sources and settings of this measurement."""
    settings = config.model_dump()
    chosen = {*SPLIT_BY_LABEL, *TRAIN, *VALIDATION, *TEST}
    settings["sources"] = [each for each in settings["sources"] if each["name"] in chosen]
    settings["encoder"] |= {"max_length_tokens": 32, "trainable_layers": 3}
    settings["episodes"]["num_texts"] = 32
    settings["training"] |= {"learning_rate": 1e-4, "warmup_steps": 10}
    settings["evaluation"] |= {
        "num_episodes": num_episodes,
        "shots": [1],
        "num_queries": 3,
        "max_texts": 100,
    }
    settings["convergence"] |= {"max_rounds": 1, "min_rounds": 1, "patience": 1}
    settings["label_noise"]["action"] = "ignore"
    return RunConfig.model_validate(settings)


def with_rows(config: RunConfig, folder: Path, share: float) -> tuple[RunConfig, int]:
    """The configuration with a share of the rows to train on, and how many these are."""
    folder.mkdir(parents=True, exist_ok=True)
    sources, num_rows = [], 0
    for source in config.sources:
        if "train" not in source.roles:
            sources.append(source)
            continue
        (file,) = source.files or []
        head, rows = read_rows(Path(file))
        grows = [row for row, text in enumerate(rows) if is_to_train(source, text)]
        order = np.random.default_rng(SEED).permutation(grows)
        arrived = set(order[: round(share * len(order))].tolist())
        kept = [text for row, text in enumerate(rows) if row in arrived or not is_to_train(source, text)]
        path = folder / f"{source.name}{Path(file).suffix}"
        path.write_text("".join([*head, *kept]), "utf-8")
        sources.append(source.model_copy(update={"files": [str(path)]}))
        num_rows += len(arrived)
    return config.model_copy(update={"sources": sources}), num_rows


def read_rows(path: Path) -> tuple[list[str], list[str]]:
    """The header of a file, if it has one, and its rows, each with the end of its line."""
    text = path.read_text("utf-8")
    if path.suffix != ".csv":
        return [], [line for line in text.splitlines(keepends=True) if line.strip()]
    rows = [in_csv(row) for row in csv.reader(io.StringIO(text, newline=""))]
    return rows[:1], rows[1:]


def in_csv(fields: list[str]) -> str:
    """A row of a CSV file; its fields may contain line breaks."""
    out = io.StringIO(newline="")
    csv.writer(out).writerow(fields)
    return out.getvalue()


def is_to_train(source: Source, row: str) -> bool:
    """Whether a row of a train source is to be trained on; all rows are, unless it is split by label."""
    if source.label_roles is None:
        return True
    return json.loads(row)["label"] in source.label_roles["train"]


def spend_night(config: RunConfig, home: Path, steps: int, *, promotes: bool) -> Morning:
    """Run the pipeline once; unless it ``promotes`` by the rules, what it publishes counts as promoted."""
    settings = config.at_home(str(home)).model_dump()
    settings["training"]["meta_steps"] = steps
    if promotes:
        settings["promotion"]["mode"] = "automatic"
    remove_unfinished(home)
    began = cpu_seconds()
    run = run_pipeline(RunConfig.model_validate(settings))
    seconds = measured_once(run, cpu_seconds() - began)
    production = Registry(home).production if promotes else run.run_id
    # The first night may leave nothing in production; then its own run is shown.
    shown = run if production is None else RunFolder(home, production)
    return Morning(shown.run_id, test_report(shown, shown.read_history()), seconds, production == run.run_id)


def remove_unfinished(home: Path) -> None:
    """Remove the run that an interrupted measurement has left: the seconds of its rest would be too few."""
    for run in (home / "runs").glob("*"):
        if not (run / MEASURED).exists():
            shutil.rmtree(run)


def measured_once(run: RunFolder, seconds: float) -> float:
    """The CPU seconds of a run when it was measured first; a finished one is only read again."""
    path = run.path / MEASURED
    if not path.exists():
        path.write_text(f"{seconds:.1f}")
    return float(path.read_text())


def cpu_seconds() -> float:
    """CPU seconds of this process and its ended children."""
    return sum(os.times()[:4])


if __name__ == "__main__":
    main()
