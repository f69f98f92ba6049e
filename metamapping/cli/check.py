"""`metamapping check`: what a run would do, and about how long it would take."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from metamapping.cli.train import ConfigArgument, HomeOption, check_train_extra, read_settings
from metamapping.config.sources import ROLES

if TYPE_CHECKING:  # they import pandas
    from metamapping.config.schema import RunConfig
    from metamapping.corpus.prepared import Corpus
    from metamapping.runs.estimate import TimeEstimate


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
    from metamapping.runs.label_spaces import check_label_spaces, check_run
    from metamapping.runs.pipeline import prepare_on_screen
    from metamapping.runs.progress import load_tensorflow
    from metamapping.runs.screen import Screen

    settings = read_settings(config, home)
    check_run(settings)
    with Screen():
        corpus = prepare_on_screen(settings).corpus
    _print_corpus(settings, corpus)
    check_label_spaces(settings, corpus)
    _print_plan(settings)
    if not time:
        return
    with Screen() as screen:
        load_tensorflow()
        from metamapping.runs.estimate import estimate_time

        with screen.work("measuring a few batches"):
            estimate = estimate_time(settings, corpus)
    _print_time(estimate)


def _print_corpus(config: RunConfig, corpus: Corpus) -> None:
    """Rows and labels of each source, what is left out, and remarks."""
    from metamapping.cli.tables import print_lines
    from metamapping.runs.corpus_notes import count_of_labels, read_corpus_notes, read_table
    from metamapping.runs.suspicions import notes_on_roles, suspicions

    assert corpus.report is not None, "the corpus has just been prepared"
    folder = corpus.report.fetch()
    sources, counts = read_table(folder, "sources"), count_of_labels(read_table(folder, "labels"))
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
    notes = read_corpus_notes(corpus)
    print(f"Left out: {notes.left_out}")
    print(f"Report: {notes.report}")
    for remark in [*suspicions(config, counts), *notes_on_roles(config, counts), *notes.remarks]:
        print(f"Look at: {remark}")


def _print_plan(config: RunConfig) -> None:
    """What the run would do."""
    from metamapping.rounds.wording import count

    evaluation = config.evaluation
    shots = "/".join(map(str, evaluation.shots))
    encoder = config.encoder.preset or "a small encoder with random weights"
    rounds, steps = config.convergence.max_rounds, config.training.meta_steps
    held_out = {role: count(len(config.sources_with(role)), f"{role} source") for role in ROLES}
    print(
        f"Plan: from {encoder}, up to {count(rounds, 'round')} of {count(steps, 'meta-step')} on "
        f"{held_out['train']}; after each round {evaluation.num_episodes} episodes with {shots} shots on "
        f"each of {held_out['validation']}; at the end once on {held_out['test']}"
    )


def _print_time(estimate: TimeEstimate) -> None:
    from metamapping.rounds.wording import count
    from metamapping.runs.screen import duration

    whole, rounds = duration(estimate.run_seconds), count(estimate.max_rounds, "round")
    print(
        f"Time on this machine: {estimate.step_seconds:.2g} s a meta-step, about "
        f"{duration(estimate.round_seconds)} a round, and about {whole} for {rounds}; a run may end earlier"
    )
