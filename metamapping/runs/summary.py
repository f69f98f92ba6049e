"""Summary: what a person reads at the end of a run, whichever way it was started.

What each round gained on the validation sources, and the published encoder on the test sources; what was
left out of the data; what looks suspicious; where everything is, and which command comes next.

    print_summary(RunFolder.of_published(published))
"""

from __future__ import annotations

import math
import shlex
from collections.abc import Iterator, Sequence

import numpy as np
from rich.console import Console
from rich.table import Table

from metamapping.config.schema import RunConfig
from metamapping.publishing.layout import CARD, CURVE
from metamapping.rounds.intervals import Estimate
from metamapping.rounds.metrics import score_name, score_names
from metamapping.rounds.records import Cell, CellScores, Round, RoundReport
from metamapping.rounds.statistics import paired_difference, round_accuracy
from metamapping.rounds.wording import count, describe_next, gain_of, state_words
from metamapping.runs.corpus_notes import CorpusNotes, read_corpus_notes
from metamapping.runs.folder import RunFolder
from metamapping.runs.suspicions import ENOUGH_SOURCES, HELD_OUT
from metamapping.storage import remote

# The width of what is written to a file or a pipe: without regard to that of a terminal.
FILE_WIDTH = 120


def print_summary(run: RunFolder, console: Console | None = None, *, started: float | None = None) -> None:
    """Print the summary of a run that has published.

    Args:
        run: The run.
        console: Where to print; standard output by default.
        started: When the command was started, in seconds since the epoch; a run that was finished before is
            said to be.
    """
    console = _standard_output() if console is None else console
    history, notes = run.read_history(), read_corpus_notes(run.corpus)
    print_rounds(run, console)
    console.print()
    tests = test_report(run, history)
    if tests.cells:
        num_sources = count(len(tests.sources), "test source")
        names = score_names(tests)
        _print(
            console, f"{names[0].upper()}{names[1:]} on {num_sources}, which nothing else in the run has read"
        )
        console.print(_gain_table(tests))
    for sentence in outcome_sentences(run.config, history, tests):
        _print(console, sentence)
    console.print()
    for remark in [*remarks(run.config, tests), *notes.remarks]:
        _print(console, f"Look at: {remark}")
    for name, place in _places(run, notes):
        _print(console, f"{name}: {place}")
    _print(console, f"Next: {next_command(run)}")
    if started is not None and run.published_at < started:
        _print(console, "The run was finished already; no work was repeated.")


def print_rounds(run: RunFolder, console: Console | None = None) -> None:
    """Print the judged rounds of a run, which need not be finished, and the last verdict.

    Args:
        run: A run with a judged round.
        console: Where to print; standard output by default.
    """
    console = _standard_output() if console is None else console
    history = run.read_history()
    before = round_accuracy(history[0].report.untrained())
    num_sources = count(len(history[0].report.sources), "validation source")
    names = score_names(history[0].report)
    _print(console, f"Rounds of {run.run_id}: mean {names} on {num_sources}, 95 % intervals")
    _print(console, f"Before meta-training: {before}")
    console.print(_rounds_table(history))
    for sentence in _verdict_sentences(history):
        _print(console, sentence)


def test_report(run: RunFolder, history: Sequence[Round]) -> RoundReport:
    """Read the scores of the published round on the test sources.

    Args:
        run: A run that has published.
        history: Its judged rounds.

    Returns:
        A report like a round's, whose cells are those of the test sources.
    """
    best = history[-1].verdict.best_round
    scores, before = (_cells(run, f"test-{number}") for number in (best, 0))
    cells = [Cell.of(new, old) for new, old in zip(scores, before, strict=True)]
    return history[max(best, 1) - 1].report.model_copy(update={"round": best, "cells": cells})


def outcome_sentences(config: RunConfig, history: Sequence[Round], tests: RoundReport) -> list[str]:
    """Say what meta-training has brought, and what to try if that is nothing.

    Args:
        config: The run's configuration.
        history: The run's judged rounds.
        tests: The scores on the test sources.
    """
    if history[-1].verdict.best_round == 0:
        kind = "pretrained encoder" if config.encoder.preset else "encoder, with its random weights,"
        advice = "; ".join(_advice(config, history))
        return [
            f"Published your {kind} unchanged: no round was clearly better on the validation sources.",
            f"What to try: {advice}.",
        ]
    gain = paired_difference(tests, tests.untrained())
    if gain.is_gain:
        return [f"Meta-training has paid off on sources like the test sources: {gain.signed}."]
    if gain.is_loss:
        return [
            f"Meta-training has cost {score_name(tests)} on the test sources: {gain.signed}. They are unlike "
            "the train and validation sources: add sources of their kind to both."
        ]
    return [
        f"Whether meta-training has paid off is not clear from {count(len(tests.sources), 'test source')}: "
        f"{gain.signed}."
    ]


def remarks(config: RunConfig, tests: RoundReport) -> Iterator[str]:
    """Say what makes the result less certain than it looks.

    Args:
        config: The run's configuration.
        tests: The scores on the test sources.

    Yields:
        A sentence for each remark.
    """
    for role in HELD_OUT:
        number = len(config.sources_with(role))
        if number < ENOUGH_SOURCES:
            yield (
                f"only {count(number, f'{role} source')}: with fewer than {ENOUGH_SOURCES}, the intervals "
                "say little about further sources"
            )
    for source in tests.sources:
        gain = paired_difference(tests, tests.untrained(), source=source)
        if gain.is_loss:
            yield f"{source}: worse than before meta-training, {gain.signed}"


def next_command(run: RunFolder) -> str:
    """Return the command that uses the published encoder.

    Args:
        run: A run that has published.
    """
    published = shlex.quote(remote.place_of(run.published))
    columns = "--text TEXT_COLUMN --label LABEL_COLUMN"
    return f"metamapping adapt {published} examples.csv {columns} --out my-tasks/first"


def _cells(run: RunFolder, name: str) -> list[CellScores]:
    result = run.read_result(name)
    return [CellScores.model_validate(cell) for cell in result["cells"]] if result else []


def _rounds_table(history: Sequence[Round]) -> Table:
    table = _table("round", score_name(history[0].report), "gain", "over", "")
    for judged in history:
        report, verdict, gain = judged.report, judged.verdict, gain_of(judged.verdict)
        table.add_row(
            str(report.round),
            _shown(round_accuracy(report)),
            "" if gain is None else gain.signed,
            f"round {verdict.compared_with}" if verdict.compared_with else "before",
            state_words(verdict),
        )
    return table


def _gain_table(tests: RoundReport) -> Table:
    """The test sources one by one, over all numbers of shots, and their mean."""
    table, before = _table("source", "task type", "before", "after", "gain"), tests.untrained()
    for source in tests.sources:
        cells = [cell for cell in tests.cells if cell.source == source]
        table.add_row(
            source,
            f"{cells[0].task_type}, {cells[0].metric}" if cells[0].metric else cells[0].task_type,
            f"{np.mean([np.mean(cell.baseline) for cell in cells]):.3f}",
            f"{np.mean([np.mean(cell.scores) for cell in cells]):.3f}",
            paired_difference(tests, before, source=source).signed,
        )
    table.add_row(
        "mean",
        "",
        f"{round_accuracy(before).mean:.3f}",
        f"{round_accuracy(tests).mean:.3f}",
        paired_difference(tests, before).signed,
        style="bold",
    )
    return table


def _verdict_sentences(history: Sequence[Round]) -> Iterator[str]:
    for judged in history:
        following = describe_next(judged.adjustments)
        if following:
            yield f"after round {judged.report.round}: {following}"
    verdict = history[-1].verdict
    yield f"{state_words(verdict).capitalize()}. {verdict.sentence}"


def _advice(config: RunConfig, history: Sequence[Round]) -> Iterator[str]:
    """What usually helps where no round has gained."""
    if config.encoder.scratch is not None:
        yield "start from a pretrained encoder (`encoder.preset`)"
    steps = sum(judged.report.training.meta_steps for judged in history)
    if steps < 300:
        yield f"more meta-steps (`training.meta_steps`; {steps} were taken, 300 bring most of the gain)"
    if any(judged.verdict.diverged for judged in history):
        yield "a lower `training.learning_rate`, since a round diverged"
    yield "more train sources, and such as resemble the tasks to come"
    if len(config.sources_with("validation")) < ENOUGH_SOURCES:
        yield f"{ENOUGH_SOURCES} validation sources or more, so that a gain can be seen"


def _places(run: RunFolder, notes: CorpusNotes) -> Iterator[tuple[str, str]]:
    if notes.left_out:
        yield "Left out", notes.left_out
    published = remote.place_of(run.published)
    if run.has_page:
        yield "Report", remote.place_of(run.page)
    if notes.report:
        yield "Report of the data", notes.report
    yield "Learning curve", f"{published}/{CURVE}"
    yield "Model card", f"{published}/{CARD}"
    yield "Published", published


def _shown(estimate: Estimate) -> str:
    return "not measured" if math.isnan(estimate.mean) else f"{estimate}"


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _standard_output() -> Console:
    console = Console()
    if not console.is_terminal:
        console.width = max(console.width, FILE_WIDTH)
    return console


def _print(console: Console, text: str) -> None:
    console.print(text, markup=False, highlight=False, soft_wrap=True)
