"""`metamapping inspect`: what a folder is. Needs no TensorFlow."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def inspect(
    folder: Annotated[Path, typer.Argument(help="A published encoder, a saved task or a run.")],
) -> None:
    """Say what a folder is."""
    from metamapping.store import read_reference

    reference = read_reference(folder)
    if reference is None:
        raise FileNotFoundError(f"{folder} holds neither a published encoder, nor a saved task, nor a run")
    print(reference.model_dump_json(indent=1))
