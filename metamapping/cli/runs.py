"""`metamapping runs`: the runs of a home."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from metamapping.cli.options import JsonOption

if TYPE_CHECKING:  # it imports NumPy
    from metamapping.runs.folder import RunFolder


def runs(
    home: Annotated[
        str, typer.Argument(help="Folder or address of the store and the runs.")
    ] = ".metamapping",
    history: Annotated[
        bool, typer.Option("--history", help="Show who has promoted what, when and why, instead of the runs.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """List the runs of a home, the newest last: their state, rounds and score on the validation sources.

    The run in production and its candidate are marked.

    `metamapping runs`

    `metamapping runs --history`
    """
    from metamapping.cli.run_names import runs_in
    from metamapping.cli.tables import print_json, print_lines

    if history:
        _print_history(home, as_json=as_json)
        return
    described = sorted(map(_described, runs_in(home)), key=lambda row: str(row["when"]))
    aliases = _aliases_by_run(home)
    found = [{"run": row["run"], "alias": aliases.get(row["run"]), **row} for row in described]
    if as_json:
        print_json(found)
    elif not found:
        print(f"There are no runs in {home}: `metamapping train CONFIG` starts one, or name another home.")
    else:
        columns = ("run", "alias", "state", "rounds", "best", "accuracy", "gain", "when")
        # Runs differ in what they measure: accuracy, macro-F1, entity F1, or a mean over several.
        headings = ["score" if column == "accuracy" else column for column in columns]
        print_lines(headings, [[_shown(row[column]) for column in columns] for row in found])


def _described(run: RunFolder) -> dict[str, Any]:
    """What the list says of a run. A run that cannot be read is listed with the error as its state."""
    from metamapping.errors import StoreError, one_line
    from metamapping.rounds.statistics import paired_difference, round_accuracy
    from metamapping.runs.lock import is_locked

    row: dict[str, Any] = dict.fromkeys(("rounds", "best", "accuracy", "gain"))
    row = {"run": run.run_id, "state": "", **row, "when": _time_of(run)}
    try:
        history = run.read_history()
        is_published = run.has_published
        max_rounds = run.config.convergence.max_rounds
    except (ValueError, StoreError) as error:
        return {**row, "state": f"damaged: {one_line(error)}"}
    state = "published" if is_published else "in progress" if is_locked(run) else "stopped"
    row |= {"state": state, "rounds": f"{len(history)} of {max_rounds}"}
    if history:
        best = history[-1].verdict.best_round
        report = history[best - 1].report if best else history[0].report.untrained()
        gain = paired_difference(report, report.untrained()).signed if best else "none"
        row |= {"best": best, "accuracy": f"{round_accuracy(report).mean:.3f}", "gain": gain}
    return row


def _aliases_by_run(home: str) -> dict[str, str]:
    from metamapping.runs.registry import Registry

    return {run_id: alias for alias, run_id in Registry(home).aliases.items()}


def _print_history(home: str, *, as_json: bool) -> None:
    from metamapping.cli.tables import print_json, print_lines
    from metamapping.runs.registry import Registry

    entries = Registry(home).history()
    if as_json:
        print_json([entry.model_dump(mode="json") for entry in entries])
    elif not entries:
        print(f"No run of {home} was promoted yet: `metamapping promote RUN` puts one into production.")
    else:
        rows = [
            [f"{each.at.astimezone():%Y-%m-%d %H:%M}", each.action, each.run, each.by, each.why]
            for each in entries
        ]
        print_lines(("when", "what", "run", "who", "why"), rows)


def _time_of(run: RunFolder) -> str:
    """When the run's folder was last changed by a finished step."""
    from metamapping.storage.remote import modified_at, read_file

    steps = [run.path / "run.json", run.path / "rounds.jsonl", run.published / "manifest.json"]
    latest = max((modified_at(step) for step in steps if read_file(step) is not None), default=0.0)
    return f"{datetime.fromtimestamp(latest):%Y-%m-%d %H:%M}"


def _shown(value: object) -> str:
    return "–" if value is None else str(value)
