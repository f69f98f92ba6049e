"""Report: the tables of a corpus as Markdown and CSV, and a picture of label counts and text lengths.

report = describe_corpus(prepared, leaks_folder)
write_report(report, folder)            # report.md, sources.csv, rejects.csv, labels.csv, picture.png
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from metamapping.corpus.report_tables import CorpusReport, Prepared
from metamapping.errors import needs_train_extra
from metamapping.storage.artifacts import Stage

_VERSION = 3
_MAX_SHOWN = 12  # labels of a source in the Markdown, and sources in the picture


def report_stage(prepared: Sequence[Prepared], leaks: str) -> Stage:
    """Return the identity of a corpus's report.

    Args:
        prepared: All sources with their stages.
        leaks: The fingerprint of the leaks.
    """
    roles = [[each.source.name, each.source.role, each.source.label_roles] for each in prepared]
    return Stage(
        "report", "corpus", _VERSION, {"roles": roles}, [leaks, *(p.screened.fingerprint for p in prepared)]
    )


def write_report(report: CorpusReport, folder: Path) -> dict[str, int]:
    """Write ``report.md``, a CSV file of each table, and ``picture.png``.

    There is no ``spans.csv`` if there is nothing in it.

    Args:
        report: The tables.
        folder: An existing folder.

    Returns:
        The counts ``corpus_rows_in`` and ``corpus_rows_out``.
    """
    for name, table in report._asdict().items():
        if name == "spans" and not len(table):
            continue
        table.to_csv(folder / f"{name}.csv", index=False)
    (folder / "report.md").write_text(to_markdown(report), encoding="utf-8")
    draw(report).savefig(folder / "picture.png", metadata={"Software": None})
    totals = report.sources[["rows in", "rows out"]].sum()
    return {"corpus_rows_in": int(totals["rows in"]), "corpus_rows_out": int(totals["rows out"])}


def read_source_table(folder: str | Path) -> list[dict[str, Any]]:
    """Return the rows of ``sources.csv`` in the folder of a written report, as plain values.

    Args:
        folder: The folder that ``write_report`` wrote.

    Returns:
        One dictionary for each source, by the table's column names.
    """
    table = pd.read_csv(Path(folder) / "sources.csv")
    return [dict(zip(table.columns, row, strict=True)) for row in table.astype(object).to_numpy().tolist()]


def to_markdown(report: CorpusReport) -> str:
    """Return the report as Markdown, with the most frequent labels of each source.

    Args:
        report: The report of a corpus.
    """
    rows_in, rows_out = report.sources["rows in"].sum(), report.sources["rows out"].sum()
    spans = [
        "## Spans",
        "White space at the ends of spans was trimmed; spans that cut a word were widened to the whole word.",
        markdown_table(report.spans),
    ]
    parts = [
        "# Corpus",
        f"{len(report.sources)} sources, {rows_in:,} rows in, {rows_out:,} out, "
        f"{rows_in - rows_out:,} left out.",
        markdown_table(report.sources[_columns(report, lengths=False)]),
        "## Lengths",
        "Half of the texts (50%), and 95 and 100 percent of them, have no more words and tokens than this.",
        markdown_table(report.sources[_columns(report, lengths=True)]),
        "## Left out",
        markdown_table(report.rejects) if len(report.rejects) else "Nothing.",
        *(spans if len(report.spans) else []),
        "## Leaks",
        markdown_table(report.leaks) if len(report.leaks) else "No text is both trained on and held out.",
        "## Labels",
    ]
    labels = report.labels.groupby("source", sort=False)
    parts.append(markdown_table(pd.DataFrame([_shown_labels(str(name), rows) for name, rows in labels])))
    return "\n\n".join(parts) + "\n"


def _columns(report: CorpusReport, *, lengths: bool) -> list[str]:
    """The columns of one of two narrow tables of the sources: all of them would not fit on a page."""
    names = [str(name) for name in report.sources.columns]
    return [
        name
        for name in names
        if name == "source" or (name.startswith(("words", "tokens", "truncated")) is lengths)
    ]


def markdown_table(table: pd.DataFrame) -> str:
    """Return a Markdown table, with all text escaped so that it cannot break out of its cell.

    Args:
        table: Any table; its index is left out.
    """
    rows = [[str(column) for column in table.columns], ["---"] * len(table.columns)]
    rows += [[_cell(value) for value in row] for row in table.itertuples(index=False)]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def draw(report: CorpusReport) -> Any:
    """Return a matplotlib figure with the rows of each label and the lengths of the largest sources.

    Args:
        report: The report of a corpus.
    """
    with needs_train_extra("drawing a report"):
        from matplotlib.figure import Figure

    largest = report.sources.sort_values("rows out", ascending=False, kind="stable").head(_MAX_SHOWN)
    figure = Figure(figsize=(11, 1.5 + 0.4 * len(largest)), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    for place, name in enumerate(largest["source"]):
        rows = report.labels.loc[report.labels["source"] == name, "rows"]
        left.plot(rows, np.full(len(rows), place), "|", color="C0", markersize=12, alpha=0.6)
    left.set(xscale="log", xlabel="rows of each label", title="Labels")
    left.set_yticks(range(len(largest)), largest["source"])
    left.invert_yaxis()
    places = range(len(largest))
    right.barh(places, largest["tokens 95%"], color="C0", alpha=0.4, label="95 % of texts have no more")
    right.barh(places, largest["tokens 50%"], color="C0", label="half of the texts have no more")
    right.set(xlabel="tokens, after truncation", title="Lengths")
    figure.legend(loc="outside lower right", ncols=2)
    return figure


def _shown_labels(source: str, rows: pd.DataFrame) -> dict[str, str]:
    shown = [f"{label} {number}" for label, number in zip(rows["label"], rows["rows"], strict=True)]
    more = f" and {len(shown) - _MAX_SHOWN} more" if len(shown) > _MAX_SHOWN else ""
    return {"source": source, "labels with their rows": ", ".join(shown[:_MAX_SHOWN]) + more}


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.1%}"
    if isinstance(value, int | np.integer):
        return f"{value:,}"
    return " ".join(str(value).split()).replace("|", "\\|").replace("<", "&lt;").replace("`", "'")
