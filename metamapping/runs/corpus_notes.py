"""Corpus notes: what a person should know about the data of a run, from the report of its corpus.

notes = read_corpus_notes(run.corpus)
notes.left_out                  # "73 of 7,110 rows (41 duplicate, 32 too short)"
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from metamapping.corpus.prepared import Corpus
from metamapping.corpus.rows import NOT_ONE_LABEL
from metamapping.errors import StoreError

# A source that lost a larger part of its rows, or of whose texts a larger part was cut off, is named.
_MANY = 0.2
_MAX_REASONS = 4


@dataclass(frozen=True)
class CorpusNotes:
    """What the report of a corpus says in short; all parts are empty where there is no report.

    Attributes:
        left_out: How many rows were left out, and why.
        report: Where the report is.
        remarks: What looks suspicious about rows and texts, a sentence each. Labels and roles are
            looked at by ``suspicions``.
    """

    left_out: str = ""
    report: str = ""
    remarks: list[str] = field(default_factory=list)


def read_corpus_notes(corpus: Corpus) -> CorpusNotes:
    """Read the report of a corpus.

    Args:
        corpus: The prepared corpus.

    Returns:
        The notes; without content if an earlier version prepared it, or the report was removed.
    """
    report = corpus.report
    if report is None:
        return CorpusNotes()
    try:
        folder = report.fetch()
    except (OSError, StoreError):
        return CorpusNotes()
    sources, rejects = (read_table(folder, name) for name in ("sources", "rejects"))
    return CorpusNotes(
        describe_left_out(sources, rejects), f"{report.path}/report.md", [*remarks_on(sources, rejects)]
    )


def read_table(folder: Path, name: str) -> pd.DataFrame:
    """Read a table of a report.

    Args:
        folder: The folder of the report.
        name: ``sources``, ``rejects`` or ``labels``.
    """
    # Names such as "1" and "null" stay as they are.
    names = {"source": str, "label": str}
    return pd.read_csv(folder / f"{name}.csv", dtype=names, keep_default_na=False, na_values=[""])


def count_of_labels(labels: pd.DataFrame) -> dict[str, dict[str, int]]:
    """Return the number of rows of each label, for each source.

    Args:
        labels: ``labels.csv`` of the report.
    """
    return {
        str(name): dict(zip(rows["label"], rows["rows"].tolist(), strict=True))
        for name, rows in labels.groupby("source", sort=False)
    }


def describe_left_out(sources: pd.DataFrame, rejects: pd.DataFrame) -> str:
    """Say how many rows were left out, and why.

    Args:
        sources: ``sources.csv`` of the report.
        rejects: ``rejects.csv`` of the report.
    """
    rows_in, lost = int(sources["rows in"].sum()), int(rejects["rows"].sum())
    if not lost:
        return f"none of {rows_in:,} rows"
    return f"{lost:,} of {rows_in:,} rows ({_reasons(rejects)})"


def remarks_on(sources: pd.DataFrame, rejects: pd.DataFrame) -> Iterator[str]:
    """Name the sources whose data looks suspicious.

    Args:
        sources: ``sources.csv`` of the report.
        rejects: ``rejects.csv`` of the report.

    Yields:
        A sentence for each suspicion.
    """
    for row in sources.to_dict("records"):
        own = rejects[rejects["source"] == row["source"]]
        lost = int(own["rows"].sum())
        if lost > _MANY * row["rows in"]:
            yield f"{row['source']}: {lost:,} of {row['rows in']:,} rows were left out ({_reasons(own)})"
        if several := int(own[own["reason"] == NOT_ONE_LABEL]["rows"].sum()):
            yield (
                f"{row['source']}: the label of {several:,} rows is a list of several or of none: if texts "
                "have any number of labels, set `multi_label: true`"
            )
    shares = zip(sources["source"], sources["truncated"], strict=True)
    cut = {source: share for source, share in shares if share > _MANY}
    if cut:
        least, most = min(cut.values()), max(cut.values())
        share = f"{most:.0%}" if len(cut) == 1 else f"{least:.0%} to {most:.0%}"
        yield (
            f"{', '.join(cut)}: {share} of the texts are longer than `encoder.max_length_tokens`, and their "
            "ends are not read"
        )


def _reasons(rejects: pd.DataFrame) -> str:
    counts = rejects.groupby("reason")["rows"].sum().sort_values(ascending=False)
    shown = [
        f"{number:,} {str(reason).replace('_', ' ')}" for reason, number in counts.head(_MAX_REASONS).items()
    ]
    return ", ".join([*shown, *(["…"] if len(counts) > _MAX_REASONS else [])])
