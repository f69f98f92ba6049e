"""The command line of ``python -m flows.meta_pretraining``.

In: the path of a configuration. Out: a table of the rounds, the verdict and the folder of the published
encoder on standard output, and the exit code: 0, 2 for an input that has to be fixed, 130 for Ctrl-C.
"""

from __future__ import annotations

import argparse
import math
import signal
import sys
import time
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from prefect import get_client
from rich.console import Console
from rich.table import Table

from metamapping.cli.signals import block_interrupts, exit_on_signals
from metamapping.config.loading import read_config
from metamapping.config.schema import RunConfig
from metamapping.config.sections import describe_sections
from metamapping.errors import ConfigError, StoreError
from metamapping.rounds.tables import rounds_table
from metamapping.runs.folder import RunFolder
from metamapping.runs.label_spaces import check_run
from tasks.engine import check_engine


def main(run_flow: Callable[[RunConfig], str], arguments: Sequence[str] | None = None) -> int:
    """Run a flow on the configuration that the command line names.

    Args:
        run_flow: Takes the configuration and returns the folder or address of the published encoder.
        arguments: The arguments of the command; default: those of this process.

    Returns:
        The exit code.
    """
    options = _parser().parse_args(arguments)
    started = time.time()
    try:
        config = read_config(options.config)
        if options.home:
            config = config.at_home(options.home)
        check_engine(config.engine)
        check_run(config)
        with _embedded_server():
            published = run_flow(config)
    except KeyboardInterrupt:
        print("interrupted: finished work is kept, and the same command resumes from there", file=sys.stderr)
        return 128 + signal.SIGINT
    except (ConfigError, StoreError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"error: {error}: fix that and start the same command again", file=sys.stderr)
        return 2
    _print_result(published, started=started)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m flows.meta_pretraining",
        description="Meta-mapping pre-training: prepare the sources, train rounds until the metrics "
        "converge, publish the best encoder. The same command again resumes where the last one stopped, "
        "and repeats no finished work.",
        epilog="What a configuration can set.\n\n" + describe_sections(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("config", metavar="CONFIG.yaml", help="the configuration of the run")
    parser.add_argument("--home", help="folder of the store and the runs; default: the configuration's")
    return parser


@contextmanager
def _embedded_server() -> Iterator[None]:
    """Start the embedded server, unless another one is configured; it ends after the run.

    Ctrl-C in a terminal reaches all processes of a command. If the server ended first, the run would try
    for minutes to report its own end to it; so the server is started with interrupts blocked. SIGTERM for
    the run alone would leave the server behind; so it raises ``SystemExit``, and the run cleans up.
    """
    with exit_on_signals():
        with block_interrupts():
            get_client(sync_client=True)
        yield


def _print_result(published: str, *, started: float) -> None:
    """Print the table of the rounds, the verdict, and the place of the published encoder."""
    run, console = RunFolder.of_published(published), Console()
    history = run.read_history()
    console.print(f"Rounds of {run.run_id}: means of the validation sources, 95 % intervals", soft_wrap=True)
    table = Table(box=None, pad_edge=False)
    for column in ("round", "accuracy", "untrained", "gain over the best", "verdict"):
        table.add_column(column, no_wrap=True)
    for row in rounds_table(history).to_dict("records"):
        table.add_row(
            str(row["round"]),
            _interval(row, "accuracy"),
            f"{row['baseline']:.3f}",
            _interval(row, "gain"),
            str(row["verdict"]),
        )
    console.print(table)
    for judged in history:
        for adjustment in judged.adjustments:
            console.print(f"after round {judged.report.round}: {adjustment}", soft_wrap=True, markup=False)
    verdict = history[-1].verdict
    console.print(f"[bold]{verdict.state}[/bold]: {verdict.sentence}", soft_wrap=True)
    console.print(f"Published: {published}", soft_wrap=True)
    if run.published_at < started:
        console.print("The run was finished already; no work was repeated.")


def _interval(row: Mapping[Hashable, Any], name: str) -> str:
    mean, low, high = (row[key] for key in (name, f"{name}_low", f"{name}_high"))
    return "not measured" if math.isnan(mean) else f"{mean:.3f} \\[{low:.3f}, {high:.3f}]"
