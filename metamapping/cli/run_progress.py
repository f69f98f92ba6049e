"""What `metamapping train` prints while it runs, on standard error.

In a terminal the work in hand is a bar; in a log it is a line from time to time. A judged round is a line.

    run_pipeline(config, RunProgress())
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from metamapping.cli.progress import print_note
from metamapping.corpus.preparation import PreparedCorpus
from metamapping.models.keras_import import quiet_keras
from metamapping.rounds.records import Round
from metamapping.runs.folder import RunFolder
from metamapping.runs.pipeline import Advance

LOG_EVERY_SECONDS = 15.0


class RunProgress:
    """A watcher of ``runs.pipeline`` that writes to standard error."""

    @contextmanager
    def rows(self, what: str, *, total: int | None = None) -> Iterator[Callable[[int], None]]:
        """Show the number of rows of work that takes a while."""
        # Sources are processed by several threads, so that one bar each would be too many.
        logged = time.monotonic()

        def on_progress(rows: int) -> None:
            nonlocal logged
            if time.monotonic() - logged > LOG_EVERY_SECONDS:
                logged = time.monotonic()
                print_note(f"{what}: {rows:,}{f' of {total:,}' if total else ''} rows")

        yield on_progress

    @contextmanager
    def steps(self, what: str, *, total: int) -> Iterator[Advance]:
        """Show how much of some work is done, and the time left."""
        logged, in_terminal = time.monotonic(), sys.stderr.isatty()
        columns = [TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()]
        note_column = TextColumn("{task.fields[note]}")
        console = Console(stderr=True)
        with Progress(*columns, note_column, console=console, disable=not in_terminal, transient=True) as bar:
            row = bar.add_task(what, total=total, note="")

            def advance(done: int, note: str = "") -> None:
                nonlocal logged
                bar.update(row, completed=done, note=note)
                if not in_terminal and time.monotonic() - logged > LOG_EVERY_SECONDS:
                    logged = time.monotonic()
                    print_note(f"{what}: {done:,} of {total:,} {note}".rstrip())

            yield advance

    def prepared(self, prepared: PreparedCorpus) -> None:
        """Say how many rows there are, and where the report is."""
        counts = prepared.report.counts
        print_note(
            f"{counts['corpus_rows_out']:,} of {counts['corpus_rows_in']:,} rows of {len(prepared.prepared)} "
            f"sources are used: {prepared.report.path}/report.md"
        )

    def opened(self, run: RunFolder) -> None:
        """Say which run it is, and what comes."""
        config, num_done = run.config, len(run.read_history())
        done = f", {num_done} of which are done" if num_done else ""
        print_note(
            f"{run.run_id}: up to {config.convergence.max_rounds} rounds of {config.training.meta_steps} "
            f"meta-steps{done}"
        )
        if not run.has_published:
            print_note("loading TensorFlow")
            with quiet_keras("training"):
                from metamapping.training import learner, loop  # noqa: F401

    def judged(self, round: Round) -> None:
        """Say what a round has shown."""
        print_note(f"round {round.report.round}: {round.verdict.state}. {round.verdict.sentence}")
