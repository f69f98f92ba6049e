"""The command line of ``python -m flows.meta_pretraining``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence

from rich.console import Console
from rich.table import Table

from metamapping.config import ConfigError, RunConfig, describe_settings, read_config
from metamapping.reports import rounds_table
from metamapping.runs import RunFolder
from metamapping.corpus.sources import check_sources
from metamapping.store import StoreError


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
    try:
        config = read_config(options.config)
        if options.home:
            config = config.at_home(options.home)
        check_sources(config.home, config.sources)
        published = run_flow(config)
    except (ConfigError, StoreError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    _print_result(config, published)
    return 0


def _print_result(config: RunConfig, published: str) -> None:
    """The table of the rounds, the verdict, and where the result is."""
    run = RunFolder.of_published(published)
    history = run.read_history()
    frame = rounds_table(history)
    table = Table(title=f"Rounds of {run.run_id}")
    for column in frame.columns:
        table.add_column(str(column))
    for row in frame.itertuples(index=False):
        table.add_row(*(str(value) for value in row))
    console = Console()
    console.print(table)
    verdict = history[-1].verdict
    console.print(f"[bold]{verdict.state}[/bold]: {verdict.sentence}")
    console.print(f"Published: {published}", soft_wrap=True)
