"""`metamapping compare`: compare two runs. It reads their reports only, without TensorFlow or a model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def compare(
    first: Annotated[
        str,
        typer.Argument(
            metavar="RUN", help="ID of a run or the beginning of it, or its alias, folder or address."
        ),
    ],
    second: Annotated[
        str, typer.Argument(metavar="RUN", help="The run that is compared with it, named likewise.")
    ],
    home: Annotated[str, typer.Option(help="Folder or address of the store and the runs.")] = ".metamapping",
    picture: Annotated[
        Path | None, typer.Option(help="Write a plot of the comparison to this PNG file.")
    ] = None,
) -> None:
    """Show how two runs differ, and which is better on which source.

    `metamapping compare demo-1f0c3a77b2d94e61 demo-77a0c3b2d94e611f`
    """
    from metamapping.cli.run_names import find_run
    from metamapping.runs.comparison import compare_runs
    from metamapping.runs.plots import comparison_png

    comparison = compare_runs(find_run(first, home=home), find_run(second, home=home))
    print(comparison.markdown())
    if picture is not None:
        picture.write_bytes(comparison_png(comparison))
