"""What a run has shown: its rounds, its verdict, and the place of the published encoder.

print_result(run)
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

from metamapping.rounds.tables import rounds_table
from metamapping.runs.folder import RunFolder
from metamapping.storage.remote import place_of


def print_result(run: RunFolder) -> None:
    """Print the rounds of a finished run, its verdict, and the place of the published encoder.

    Args:
        run: A run that has published.
    """
    print_rounds(run)
    Console().print(f"Published: {place_of(run.published)}", soft_wrap=True)


def print_rounds(run: RunFolder) -> None:
    """Print the rounds of a run, and its last verdict.

    Args:
        run: A run with a judged round.
    """
    history, console = run.read_history(), Console()
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


def _interval(row: Mapping[Hashable, Any], name: str) -> str:
    mean, low, high = (row[key] for key in (name, f"{name}_low", f"{name}_high"))
    return "not measured" if math.isnan(mean) else f"{mean:.3f} \\[{low:.3f}, {high:.3f}]"
