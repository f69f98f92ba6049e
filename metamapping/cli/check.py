"""`metamapping check`: what a run would do, and about how long it would take."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from metamapping.cli.train import ConfigArgument, HomeOption, check_train_extra, read_settings
from metamapping.config.sources import ROLES

if TYPE_CHECKING:  # they import pandas
    from metamapping.config.schema import RunConfig
    from metamapping.runs.estimate import TimeEstimate

_MAX_REASONS = 5


def check(
    config: ConfigArgument,
    home: HomeOption = None,
    time: Annotated[
        bool, typer.Option("--time/--no-time", help="Whether to measure how long the run would take.")
    ] = True,
) -> None:
    """Check a configuration and its data: rows, labels, and what a run would do. Nothing is trained.

    The sources are prepared, and the run will use what is prepared here. A few batches show about how long
    the run takes on this machine.

    `metamapping check metamapping.yaml`
    """
    check_train_extra()
    from metamapping.cli.progress import print_note
    from metamapping.cli.run_progress import RunProgress
    from metamapping.corpus.preparation import prepare_corpus
    from metamapping.models.keras_import import quiet_keras
    from metamapping.runs.label_spaces import check_label_spaces, check_run

    settings = read_settings(config, home)
    check_run(settings)
    prepared = prepare_corpus(settings, show=RunProgress().rows)
    _print_corpus(settings, prepared.report.fetch())
    check_label_spaces(settings, prepared.corpus)
    _print_plan(settings)
    if not time:
        return
    print_note("measuring a few batches …")
    with quiet_keras("measuring the time of a run"):
        from metamapping.runs.estimate import estimate_time
        from metamapping.training import learner, loop  # noqa: F401  (imported here without messages)
    _print_time(estimate_time(settings, prepared.corpus))


def _print_corpus(config: RunConfig, folder: Path) -> None:
    """Rows and labels of each source, what is left out, and remarks."""
    import pandas as pd

    from metamapping.cli.tables import print_lines
    from metamapping.runs.remarks import remarks_on

    sources, rejects, labels = (
        pd.read_csv(folder / f"{name}.csv") for name in ("sources", "rejects", "labels")
    )
    rows = [
        (
            str(row["source"]),
            str(row["role"]),
            str(row["task type"]),
            f"{row['rows in']:,}",
            f"{row['rows out']:,}",
            str(row["labels"]),
            str(row["rows a label"]),
        )
        for row in sources.to_dict("records")
    ]
    print_lines(("source", "role", "task type", "rows", "used", "labels", "rows of each"), rows)
    print()
    counts = rejects.groupby("reason")["rows"].sum().sort_values(ascending=False)
    reasons = ", ".join(f"{number:,} {reason}" for reason, number in counts.head(_MAX_REASONS).items())
    more = " …" if len(counts) > _MAX_REASONS else ""
    if len(counts):
        print(f"Left out: {counts.sum():,} rows ({reasons}{more})")
    print(f"Report: {folder / 'report.md'}")
    for remark in remarks_on(config, sources, labels):
        print(f"Look at: {remark}.")


def _print_plan(config: RunConfig) -> None:
    """What the run would do."""
    evaluation = config.evaluation
    shots = "/".join(map(str, evaluation.shots))
    encoder = config.encoder.preset or "a small encoder with random weights"
    rounds, steps = config.convergence.max_rounds, config.training.meta_steps
    held_out = {role: _count(len(config.sources_with(role)), f"{role} source") for role in ROLES}
    print(
        f"Plan: from {encoder}, up to {_count(rounds, 'round')} of {_count(steps, 'meta-step')} on "
        f"{held_out['train']}; after each round {evaluation.num_episodes} episodes with {shots} shots on "
        f"each of {held_out['validation']}; at the end once on {held_out['test']}"
    )


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _print_time(estimate: TimeEstimate) -> None:
    whole, rounds = _about(estimate.run_seconds), _count(estimate.max_rounds, "round")
    print(
        f"Time on this machine: {estimate.step_seconds:.2g} s a meta-step, "
        f"{_about(estimate.round_seconds)} a round, and {whole} for {rounds}; a run may end earlier"
    )


def _about(seconds: float) -> str:
    if seconds < 90:
        return f"about {max(1, round(seconds))} seconds"
    if seconds < 2 * 3600:
        return f"about {round(seconds / 60)} minutes"
    return f"about {seconds / 3600:.1f} hours"
