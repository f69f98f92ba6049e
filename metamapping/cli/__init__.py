"""The command line, `metamapping` or `python -m metamapping`. Each command has a file of its own.

    metamapping adapt published examples.csv --out tasks/orders
    metamapping predict tasks/orders new.jsonl --out labelled.jsonl

Data goes to standard output, everything else to standard error. The exit code is 0 for success, 2 for
invalid input (one sentence on standard error, no traceback), and 1 for an unexpected error. Commands import
what they need when they run, because importing TensorFlow takes many seconds and `--help` should not.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import typer

from metamapping.cli.adapt import adapt
from metamapping.cli.check_labels import check_labels
from metamapping.cli.compare import compare
from metamapping.cli.evaluate import evaluate
from metamapping.cli.follow import follow
from metamapping.cli.inspect import inspect
from metamapping.cli.predict import predict
from metamapping.cli.push import push
from metamapping.cli.serve import serve
from metamapping.cli.suggest import suggest
from metamapping.errors import StoreError

app = typer.Typer(
    name="metamapping",
    help="Use a published encoder, and the tasks that it was adapted to.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)
for command in (adapt, predict, evaluate, inspect, compare, push, serve, follow):
    app.command()(command)
app.command("check-labels")(check_labels)
app.command()(suggest)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        arguments: The arguments of the command line; default: those of this process.

    Returns:
        The exit code.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        app(arguments)
    except (ValueError, OSError, StoreError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0
