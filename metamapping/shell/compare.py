"""`metamapping compare`: two runs side by side. Reads what they measured: no TensorFlow, no model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def compare(
    first: Annotated[str, typer.Argument(metavar="RUN", help="A run's id, or its folder.")],
    second: Annotated[str, typer.Argument(metavar="RUN", help="Another one.")],
    home: Annotated[Path, typer.Option(help="Folder of the store and the runs.")] = Path(".metamapping"),
    picture: Annotated[Path | None, typer.Option(help="Write a picture of it to this PNG file.")] = None,
) -> None:
    """Say what differed between two runs, and which is better on what.

    `metamapping compare demo-1f0c3a77b2d94e61 demo-77a0c3b2d94e611f`
    """
    from metamapping.comparison import compare_runs
    from metamapping.pictures import comparison_png
    from metamapping.runs import RunFolder

    runs = []
    for name in (first, second):
        path = Path(name) if Path(name).is_dir() else home / "runs" / name
        runs.append(RunFolder(path.absolute().parent.parent, path.name))
    comparison = compare_runs(*runs)
    print(comparison.markdown())
    if picture is not None:
        picture.write_bytes(comparison_png(comparison))
