"""Rows that arrive in batches: continuing from production every night, against training anew.

    METAMAPPING_DATA=path/to/data python -m benchmarks.nightly [--home FOLDER] [--nights 5] [--sources 4]

In: the train sources of ``benchmarks/real_run.yaml`` whose files have a row on each line, and all of its
validation and test sources. On night k, each train source has the first k of as many parts of its rows as
there are nights, in a random order that never changes; held-out sources are whole from the first night on.
Out: a Markdown table of the nights. Both ways start from the packaged MiniLM on the first night; from the
second on, one continues from production with a fraction of the meta-steps and promotes by the rules of
``promotion: automatic``, the other one trains anew. Accuracy is the mean over the test sources, on which
nothing is chosen, of what would be in production in the morning: the same episodes every night, for both.
Seconds are CPU seconds of all threads, so that other work on the machine matters little.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.real_run import packaged_encoder
from metamapping.config.loading import read_config
from metamapping.config.schema import RunConfig
from metamapping.config.sources import Source
from metamapping.runs.folder import RunFolder
from metamapping.runs.pipeline import run_pipeline
from metamapping.runs.registry import Registry
from metamapping.runs.summary import test_report

SEED = 31
ROWS_ON_LINES = (".train", ".tsv", ".jsonl")


class Morning(NamedTuple):
    """What one way has in the morning.

    Attributes:
        run: ID of the run that would be in production.
        accuracy: Mean over the test sources and all numbers of shots.
        seconds: CPU seconds of the night.
        is_new: Whether it is the run of this night.
    """

    run: str
    accuracy: float
    seconds: float
    is_new: bool


def main() -> None:
    """Print the table of "Every night: continue or train anew" in benchmarks/README.md."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--home", type=Path, default=Path(".metamapping/nightly"))
    parser.add_argument("--nights", type=int, default=5)
    parser.add_argument("--sources", type=int, help="use the first so many train sources only")
    parser.add_argument("--held-out", type=int, help="and the first so many of each kind of held-out sources")
    parser.add_argument("--steps", type=int, default=100, help="meta-steps of a run that starts anew")
    parser.add_argument("--night-steps", type=int, default=25, help="meta-steps of a run that continues")
    parser.add_argument("--episodes", type=int, default=40, help="episodes of a held-out source")
    options = parser.parse_args()
    os.environ.setdefault("METAMAPPING_ENCODER", packaged_encoder())
    config = chosen_sources(read_config(Path(__file__).with_name("real_run.yaml")), options)
    print("| night | rows | continued | seconds | trained anew | seconds | promoted |")
    print("| --- " * 7 + "|")
    for night in range(1, options.nights + 1):
        tonight, num_rows = with_rows(config, options.home / "rows", night / options.nights)
        steps = options.steps if night == 1 else options.night_steps
        start = {"start": "production", "promotion": {"mode": "automatic"}}
        continued = spend_night(tonight, options.home / "continued", steps, start)
        anew = spend_night(tonight, options.home / f"anew-{night}", options.steps, {})
        cells = [f"{night}", f"{num_rows:,}", f"{continued.accuracy:.3f}", f"{continued.seconds:.0f}"]
        cells += [f"{anew.accuracy:.3f}", f"{anew.seconds:.0f}", "yes" if continued.is_new else "no"]
        print(f"| {' | '.join(cells)} |", flush=True)


def chosen_sources(config: RunConfig, options: argparse.Namespace) -> RunConfig:
    """The configuration with the sources and settings of this measurement."""
    on_lines = [each for each in config.sources_with("train") if are_rows_on_lines(each)]
    held_out = {role: config.sources_with(role)[: options.held_out] for role in ("validation", "test")}
    chosen = [*on_lines[: options.sources], *held_out["validation"], *held_out["test"]]
    settings = config.model_dump()
    by_name = {each.name: each for each in chosen}  # one with roles by label is in both groups
    settings["sources"] = [each.model_dump() for each in by_name.values()]
    settings["evaluation"] |= {"num_episodes": options.episodes, "shots": [0, 4]}
    return RunConfig.model_validate(settings)


def are_rows_on_lines(source: Source) -> bool:
    """Whether a source's files can be cut between any two lines."""
    return source.role == "train" and all(Path(each).suffix in ROWS_ON_LINES for each in source.files)


def with_rows(config: RunConfig, folder: Path, share: float) -> tuple[RunConfig, int]:
    """The configuration with a share of the rows of each train source, and how many these are."""
    folder.mkdir(parents=True, exist_ok=True)
    sources, num_rows = [], 0
    for source in config.sources:
        if source.role != "train":
            sources.append(source)
            continue
        lines = [line for each in source.files for line in Path(each).read_text("utf-8").splitlines() if line]
        order = np.random.default_rng(SEED).permutation(len(lines))[: round(share * len(lines))]
        path = folder / f"{source.name}{Path(source.files[0]).suffix}"
        path.write_text("\n".join(lines[row] for row in sorted(order)) + "\n", "utf-8")
        sources.append(source.model_copy(update={"files": [str(path)]}))
        num_rows += len(order)
    return config.model_copy(update={"sources": sources}), num_rows


def spend_night(config: RunConfig, home: Path, steps: int, changes: dict[str, object]) -> Morning:
    """Run the pipeline once; without ``changes``, what it publishes counts as promoted."""
    settings = {**config.at_home(str(home)).model_dump(), **changes}
    settings["training"]["meta_steps"] = steps
    settings["convergence"] |= {"max_rounds": 1, "min_rounds": 1, "patience": 1}
    began = time.process_time()
    run = run_pipeline(RunConfig.model_validate(settings))
    seconds = time.process_time() - began
    production = Registry(home).production if changes else run.run_id
    # The first night may leave nothing in production; then its own run is shown.
    shown = run if production is None else RunFolder(home, production)
    cells = test_report(shown, shown.read_history()).cells
    accuracy = float(np.mean([np.mean(cell.scores) for cell in cells]))
    return Morning(shown.run_id, accuracy, seconds, production == run.run_id)


if __name__ == "__main__":
    main()
