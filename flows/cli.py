"""The command line of ``python -m flows.meta_pretraining``."""

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

from flows.signals import deaf_to_interrupts, ends_when_told
from metamapping.config.loading import describe_settings, read_config
from metamapping.config.schema import RunConfig
from metamapping.errors import ConfigError, StoreError
from metamapping.rounds.tables import rounds_table
from metamapping.runs.folder import RunFolder
from metamapping.runs.label_spaces import check_run
from tasks.engine import check_engine


def main(run_flow: Callable[[RunConfig], str], arguments: Sequence[str] | None = None) -> int:
    """Run the flow on the configuration that the command line names; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m flows.meta_pretraining",
        description="Meta-mapping pre-training: prepare the sources, train rounds until the "
        "metrics converge, publish the best encoder. The same command goes on where the last one "
        "stopped, and does nothing twice.",
        epilog="What a configuration can set:\n" + describe_settings(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("config", metavar="CONFIG.yaml", help="the configuration of the run")
    parser.add_argument("--home", help="folder of the store and the runs, instead of the file's")
    options = parser.parse_args(arguments)
    started = time.time()
    try:
        config = read_config(options.config)
        if options.home:
            config = config.at_home(options.home)
        check_engine(config.engine)
        check_run(config)
        with _server():
            published = run_flow(config)
    except KeyboardInterrupt:
        print("interrupted: what is done is kept, and the same command goes on from there", file=sys.stderr)
        return 128 + signal.SIGINT
    except (ConfigError, StoreError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"error: {error}: mend that and start the same command again", file=sys.stderr)
        return 2
    _print_result(published, started=started)
    return 0


@contextmanager
def _server() -> Iterator[None]:
    """The embedded server, where no other is configured: it ends after the run, and with it.

    A terminal's Ctrl-C goes to all processes of a command, and a server that ends first leaves the run
    minutes of vain tries to report its end. A SIGTERM for the run alone would leave the server behind.
    """
    with ends_when_told():
        with deaf_to_interrupts():
            get_client(sync_client=True)
        yield


def _print_result(published: str, *, started: float) -> None:
    """The table of the rounds, the verdict, and where the result is."""
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
        console.print("Everything was done already; nothing was done again.")


def _interval(row: Mapping[Hashable, Any], name: str) -> str:
    mean, low, high = (row[key] for key in (name, f"{name}_low", f"{name}_high"))
    return "not measured" if math.isnan(mean) else f"{mean:.3f} \\[{low:.3f}, {high:.3f}]"
