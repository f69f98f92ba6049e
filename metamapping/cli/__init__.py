"""The command line, `metamapping` or `python -m metamapping`. Each command has a file of its own.

    metamapping adapt published examples.csv --out my-tasks/orders
    metamapping predict my-tasks/orders new.jsonl --out labelled.jsonl

Data goes to standard output, everything else to standard error. The exit code is 0 for success, 2 for
invalid input (one sentence on standard error, no traceback), and 1 for an unexpected error. Commands import
what they need when they run: imports take a second, with TensorFlow many, and `--help` should not.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from metamapping import __version__
from metamapping.cli.adapt import adapt
from metamapping.cli.baseline import baseline
from metamapping.cli.check import check
from metamapping.cli.check_labels import check_labels
from metamapping.cli.compare import compare
from metamapping.cli.drift import drift
from metamapping.cli.evaluate import evaluate
from metamapping.cli.explain import explain
from metamapping.cli.export import export
from metamapping.cli.follow import follow
from metamapping.cli.init import init
from metamapping.cli.inspect import inspect
from metamapping.cli.migrate import migrate
from metamapping.cli.predict import predict
from metamapping.cli.promote import promote, rollback
from metamapping.cli.push import push
from metamapping.cli.report import report
from metamapping.cli.runs import runs
from metamapping.cli.serve import serve
from metamapping.cli.settings import settings
from metamapping.cli.suggest import suggest
from metamapping.cli.track import track
from metamapping.cli.train import train
from metamapping.errors import MissingExtraError, StoreError, needs_train_extra

app = typer.Typer(
    name="metamapping",
    help="One encoder for many small language tasks, with a handful of labelled examples each.\n\n"
    "`init`, `check` and `train` meta-train it on the labelled files that you have. From then on, `adapt` "
    "learns a new task in milliseconds, and `predict` labels texts. A pretrained encoder can be used right "
    "away, too: `metamapping adapt FOLDER examples.csv --out tasks/first`.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)
_COMMANDS = {
    "Train an encoder": (init, check, baseline, train, settings),
    "Use it": (adapt, predict, evaluate, explain, serve, export, push, migrate),
    "Look at labels": (check_labels, suggest, drift),
    "Look at runs": (runs, report, compare, inspect, follow, track),
    "Put runs into production": (promote, rollback),
}
for panel, commands in _COMMANDS.items():
    for command in commands:
        app.command(command.__name__.replace("_", "-"), rich_help_panel=panel)(command)


def _print_version(is_wanted: bool) -> None:
    if is_wanted:
        print(f"metamapping {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option("--version", help="Show the version and exit.", callback=_print_version, is_eager=True),
    ] = False,
) -> None:
    pass


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        arguments: The arguments of the command line; default: those of this process.

    Returns:
        The exit code.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # Only the tokenizers of transformers are used, which need no PyTorch.
    os.environ.setdefault("TRANSFORMERS_NO_ADVISORY_WARNINGS", "1")
    try:
        with needs_train_extra("this command"):
            app(arguments)
    except (ValueError, OSError, StoreError, MissingExtraError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0
