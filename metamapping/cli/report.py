"""`metamapping report`: what a run has shown so far, or in the end."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:  # it imports NumPy
    from metamapping.runs.folder import RunFolder


def report(
    run: Annotated[
        str,
        typer.Argument(metavar="RUN", help="ID of a run or the beginning of it, or its folder or address."),
    ],
    home: Annotated[str, typer.Option(help="Folder of the store and the runs.")] = ".metamapping",
    open_it: Annotated[
        bool, typer.Option("--open", help="Also open the model card, or its page if there is one.")
    ] = False,
) -> None:
    """Show the rounds of a run, its verdict, and its scores on the test sources.

    `metamapping report demo`
    """
    from metamapping.cli.run_names import find_run
    from metamapping.runs.summary import print_rounds, print_summary

    found = find_run(run, home=home)
    if not found.read_history():
        print(f"{found.run_id}: no round is finished yet")
        return
    if not found.has_published:
        print_rounds(found)
        print("Not published yet: the command that started the run resumes it.")
        return
    print_summary(found)
    if open_it:
        page = _page(found)
        print(f"Opening {page}", file=sys.stderr)
        if typer.launch(str(page)) != 0:
            raise ValueError(f"no program opens {page} here: look at it with one that you have")


def _page(run: RunFolder) -> Path:
    """What to open: a page if the published folder has one, else the model card."""
    from metamapping.publishing.layout import CARD
    from metamapping.storage.remote import open_folder

    folder = open_folder(run.published)
    return next(iter(sorted(folder.glob("*.html"))), folder / CARD)
