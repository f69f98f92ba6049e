"""A long run of a small encoder in one process: memory, open files, disk and traces after each round.

    python -m benchmarks.long_run [--rounds 20] [--meta-steps 250] [--picture long-run.png]

In: ``tests/e2e/tiny.yaml`` with more and longer rounds, and with a learning rate that is too small to
diverge. Out: a Markdown table with a row for each round, and a plot of memory against meta-steps. Nothing
should grow after the first rounds, in which TensorFlow compiles each new shape of batch.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.without_prefect import install

if TYPE_CHECKING:
    from metamapping.training.replicas import Replicas

EVERY_STEPS = 25
PAGE_MEGABYTES = os.sysconf("SC_PAGE_SIZE") / 1e6


def main() -> None:
    """Print the figures that docs/reliability.md quotes, and draw its plot if ``--picture`` is given.

    Each round is compared with the first one. benchmarks/README.md has no table of it, and its duration has
    not been recorded.
    """
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.long_run",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--meta-steps", type=int, default=250, help="meta-steps per round")
    parser.add_argument("--picture", type=Path, help="file for the plot, as PNG")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        memory, rows = measure(home, num_rounds=options.rounds, meta_steps=options.meta_steps)
    from metamapping.rounds.tables import markdown_table

    columns = [
        "round",
        "meta-steps",
        "memory (MB)",
        "open files",
        "disk (MB)",
        "checkpoints with weights",
        "traces",
    ]
    print(markdown_table(columns, rows))
    if options.picture:
        draw(memory, options.picture)


def measure(
    home: str, *, num_rounds: int, meta_steps: int
) -> tuple[list[tuple[int, float]], list[list[str]]]:
    """Run the rounds.

    Args:
        home: An empty folder for prepared data and the run.
        num_rounds: Number of rounds.
        meta_steps: Number of meta-steps in each round.

    Returns:
        Pairs of a meta-step and the memory in MB then, and a row of the table for each round.
    """
    install()
    from flows.prepare_corpus import prepare_corpus
    from metamapping.config.loading import read_config
    from metamapping.config.schema import RunConfig
    from metamapping.corpus.prepared import Corpus
    from metamapping.rounds.settings import AdjustableSettings
    from metamapping.runs.round_training import train_stage
    from metamapping.runs.session import session_of
    from metamapping.runs.stages import adjust_stage, evaluate_stage, initialise_stage, open_run

    config = read_config("tests/e2e/tiny.yaml").at_home(home)
    changed = {
        "training": {"meta_steps": meta_steps, "learning_rate": 1e-6, "checkpoint_every_steps": 25},
        "convergence": {"min_rounds": num_rounds, "max_rounds": num_rounds},
    }
    config = RunConfig.model_validate({**config.model_dump(), **changed})
    run = open_run(config, Corpus.model_validate(prepare_corpus(config)))
    initialise_stage(run)
    memory: list[tuple[int, float]] = []
    rows = []
    for round in range(1, num_rounds + 1):
        before = (round - 1) * meta_steps

        def on_step(step: int, _: float, before: int = before) -> None:
            if step % EVERY_STEPS == 0:
                memory.append((before + step, resident_megabytes()))

        train_stage(run, round, on_step=on_step)
        evaluate_stage(run, round)
        adjust_stage(run, round)
        replicas = session_of(run).replicas(AdjustableSettings.of(config))
        rows.append(
            [
                str(round),
                str(round * meta_steps),
                f"{resident_megabytes():.0f}",
                str(len(list(Path("/proc/self/fd").iterdir()))),
                f"{sum(path.stat().st_size for path in Path(home).rglob('*') if path.is_file()) / 1e6:.2f}",
                str(len(list(run.checkpoints.glob("round-*/weights.safetensors")))),
                str(num_traces(replicas)),
            ]
        )
        print(*rows[-1], sep="  ", flush=True)
    return memory, rows


def num_traces(replicas: Replicas) -> int:
    """How many times TensorFlow traced the meta-step, over all shapes of batches."""
    (replica,) = replicas._replicas
    return int(replica._update.experimental_get_tracing_count())


def resident_megabytes() -> float:
    """Resident memory of this process, in MB."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE_MEGABYTES


def draw(memory: list[tuple[int, float]], path: Path) -> None:
    """Plot memory against meta-steps."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(6, 2.6), layout="constrained")
    axes.plot(*zip(*memory, strict=True))
    axes.set(xlabel="meta-steps", ylabel="memory (MB)", ylim=(0, None))
    figure.savefig(path, dpi=90)


if __name__ == "__main__":
    main()
