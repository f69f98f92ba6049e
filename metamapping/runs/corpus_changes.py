"""Corpus changes: what is different about the rows of a run's sources since the last run of the same name.

Input: the reports of both corpora. Output: sentences for people, which stop nothing: new and vanished labels,
labels whose share has shifted beyond chance, texts that have become longer or shorter, sources that have
shrunk or grown.

    for sentence in changes_since_last_run(config.home, config.name, rows, corpus.report):
        print("look at", sentence)
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from metamapping.errors import StoreError, listed
from metamapping.runs.corpus_notes import count_of_labels, read_table
from metamapping.runs.source_data import grown_sources, last_run, shrunken_sources
from metamapping.storage.artifacts import Reference

# A label's share must shift by this much, and by this many standard deviations of chance.
_SHARE_SHIFT, _DEVIATIONS = 0.1, 3.0
_LENGTH_SHIFT = 0.25  # of the median number of words


def changes_since_last_run(
    home: str, name: str, rows: Mapping[str, int], report: Reference | None
) -> list[str]:
    """Find what has changed about the sources since the last run of the same name.

    Args:
        home: Folder or address of the store and the runs.
        name: Name of the run's configuration.
        rows: Rows by source, as prepared now.
        report: The report of the corpus as prepared now.

    Returns:
        Sentences; none if there is no such run, its rows are as many as now, or its report is gone.
    """
    last = last_run(home, name, rows)
    if last is None:
        return []
    sizes = [*shrunken_sources(last, rows), *grown_sources(last, rows)]
    if last.corpus.report is None or report is None:
        return sizes
    return [*sizes, *compare_reports(last.corpus.report, report)]


def compare_reports(before: Reference, now: Reference) -> list[str]:
    """Compare the labels and the lengths of the sources that two corpora share.

    Args:
        before: The report of the earlier corpus.
        now: The report of the later one.

    Returns:
        Sentences; none if one of the reports was removed.
    """
    try:
        old, new = (_read(report.fetch()) for report in (before, now))
    except (OSError, StoreError):
        return []
    return [
        sentence
        for source in new
        if source in old
        for sentence in _changes_of(source, old[source], new[source])
    ]


def _read(folder: Path) -> dict[str, dict[str, Any]]:
    """Label counts and the median number of words of each source."""
    labels = count_of_labels(read_table(folder, "labels"))
    rows = read_table(folder, "sources").to_dict("records")
    return {
        str(row["source"]): {"labels": labels.get(str(row["source"]), {}), "words": int(row["words 50%"])}
        for row in rows
    }


def _changes_of(source: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    before, now = old["labels"], new["labels"]
    where = f"source {source!r}:"
    appeared = [f"{label} ({rows:,} rows)" for label, rows in now.items() if label not in before]
    vanished = [f"{label} (it had {rows:,} rows)" for label, rows in before.items() if label not in now]
    if appeared:
        yield f"{where} new since the last run: {listed(appeared)}"
    if vanished:
        yield f"{where} vanished since the last run: {listed(vanished)}"
    yield from (f"{where} {sentence}" for sentence in _shifted_shares(before, now))
    shift = abs(new["words"] - old["words"])
    if shift > 1 and shift > _LENGTH_SHIFT * old["words"]:
        yield f"{where} the texts have {new['words']} words in the median, in the last run {old['words']}"


def _shifted_shares(before: Mapping[str, int], now: Mapping[str, int]) -> Iterator[str]:
    totals = sum(before.values()), sum(now.values())
    for label in before:
        if label not in now or not all(totals):
            continue
        old, new = before[label] / totals[0], now[label] / totals[1]
        pooled = (before[label] + now[label]) / sum(totals)
        chance = math.sqrt(pooled * (1 - pooled) * (1 / totals[0] + 1 / totals[1]))
        if abs(new - old) > max(_SHARE_SHIFT, _DEVIATIONS * chance):
            yield f"{label!r} has {new:.0%} of the rows, in the last run {old:.0%}"
