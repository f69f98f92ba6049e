"""`metamapping report`: what a run has shown so far or in the end, or how good a task is, also as a page."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer


def report(
    name: Annotated[
        str,
        typer.Argument(
            metavar="RUN_OR_TASK",
            help="ID of a run or the beginning of it, or the folder or address of a run or of a saved task.",
        ),
    ],
    home: Annotated[str, typer.Option(help="Folder or address of the store and the runs.")] = ".metamapping",
    html: Annotated[
        Path | None,
        typer.Option(
            "--html",
            metavar="FILE",
            help="Write the report as one HTML page, which needs no network and can be sent to others. It "
            "quotes texts of the data.",
        ),
    ] = None,
    open_it: Annotated[
        bool, typer.Option("--open", help="Open that page; without --html it is written into the folder.")
    ] = False,
) -> None:
    """Show the rounds of a run, its verdict and its scores on the test sources; or how good a saved task is.

    `metamapping report demo --open`

    `metamapping report my-tasks/orders --html orders.html`
    """
    task = _task_folder(name)
    page = _report_run(name, home, html, open_it) if task is None else _report_task(task, html, open_it)
    if page is None:
        return
    from metamapping.storage.remote import place_of

    print(f"Report: {place_of(page)}", file=sys.stderr)
    if open_it:
        if not page.is_file():
            raise ValueError(f"{place_of(page)} is not on this machine: give --html FILE, which is opened")
        if typer.launch(str(page)) != 0:
            raise ValueError(f"no program opens {page} here: look at it with one that you have")


def _task_folder(name: str) -> Path | None:
    """The folder of a saved task; ``None`` if the name is not that of one."""
    if "://" not in name and not Path(name).is_dir():
        return None
    from metamapping.storage.artifacts import read_reference
    from metamapping.storage.remote import local_folder, open_folder

    reference = read_reference(local_folder(name))
    return open_folder(name) if reference is not None and reference.stage == "task" else None


def _report_run(name: str, home: str, html: Path | None, open_it: bool) -> Path | None:
    from metamapping.cli.run_names import find_run
    from metamapping.runs.summary import print_rounds, print_summary

    run = find_run(name, home=home)
    if not run.read_history():
        print(f"{run.run_id}: no round is finished yet")
    elif not run.has_published:
        print_rounds(run)
        print("Not published yet: the command that started the run resumes it.")
    else:
        print_summary(run)
    if html is None and not open_it:
        return None
    from metamapping.runs.run_page import run_page, write_run_page

    return write_run_page(run) if html is None else _write(html, run_page(run))


def _report_task(folder: Path, html: Path | None, open_it: bool) -> Path | None:
    from metamapping.adaptation.cross_validation import cross_validate
    from metamapping.adaptation.multi_label.multi_label_scores import cross_validate_lists
    from metamapping.adaptation.multi_label.multi_label_state import MultiLabelState
    from metamapping.adaptation.saved.task_folder import read_task
    from metamapping.adaptation.task_page import PAGE, task_page

    task = read_task(folder)
    if html is None and not open_it:
        if isinstance(task.state, MultiLabelState):
            print(cross_validate_lists(task.state))
        else:
            print(cross_validate(task.state))
        return None
    return _write(folder.absolute() / PAGE if html is None else html, task_page(task))


def _write(path: Path, page: str) -> Path:
    from metamapping.html.rendering import to_bytes
    from metamapping.storage.manifest import write_bytes

    if path.is_dir() or not path.absolute().parent.is_dir():
        raise ValueError(f"{path} cannot be written: give --html the name of a file in an existing folder")
    write_bytes(path, to_bytes(page))
    return path
