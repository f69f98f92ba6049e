"""Report: what came into a corpus, what came out, and what was rejected for which reasons.

Input: the finished stages of every source. Output: pandas tables, the same tables as Markdown, and a picture
of label counts and text lengths.

    report = describe_corpus(prepared, leaks_folder)
    write_report(report, folder)            # report.md, sources.csv, rejects.csv, labels.csv, picture.png
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow.compute as pc
import pyarrow.parquet as pq

from metamapping.config.sources import Source
from metamapping.corpus.examples import SPAN_COUNTS
from metamapping.corpus.shards import LABELS, TOKENS, iterate_shards, schema_as_in
from metamapping.corpus.tags import OUTSIDE, entity_type
from metamapping.errors import needs_train_extra
from metamapping.storage.artifacts import Reference, Stage

_VERSION = 3
_PERCENTILES = (50, 95, 100)
_MAX_SHOWN = 12  # labels of a source in the Markdown, and sources in the picture
_EXAMPLE_CHARACTERS = 80


class Prepared(NamedTuple):
    """A source with its finished stages; ``screened`` is ``tokens`` if nothing leaks."""

    source: Source
    examples: Reference
    tokens: Reference
    screened: Reference


class CorpusReport(NamedTuple):
    """The tables of a corpus.

    ``sources`` has one row for each source, ``rejects`` for each source and reason, ``labels`` for each
    source and label, ``leaks`` for each pair of sources with common texts, and ``spans`` for each ``ner``
    source of which spans were changed to fit whole words.
    """

    sources: pd.DataFrame
    rejects: pd.DataFrame
    labels: pd.DataFrame
    leaks: pd.DataFrame
    spans: pd.DataFrame


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


def describe_corpus(prepared: Sequence[Prepared], leaks: str | Path) -> CorpusReport:
    """Compute the tables of a corpus.

    Args:
        prepared: All sources with their stages, which are fetched.
        leaks: The folder of the leaks.
    """
    found = [_describe(each) for each in prepared]
    pairs = pq.read_table(Path(leaks) / "leaks.parquet", columns=["source", "against", "kind"]).to_pandas()
    return CorpusReport(
        pd.DataFrame([row for row, _, _ in found]),
        pd.DataFrame(
            [row for _, rejects, _ in found for row in rejects],
            columns=["source", "reason", "rows", "example"],
        ),
        pd.DataFrame([row for _, _, labels in found for row in labels], columns=["source", "label", "rows"]),
        pairs.value_counts(sort=False).rename("rows").reset_index(),
        pd.DataFrame(
            [row for each in prepared if (row := _spans(each))],
            columns=["source", "spans trimmed", "spans widened"],
        ),
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


def _describe(prepared: Prepared) -> tuple[dict[str, Any], list[dict[str, Any]], list[dict[str, Any]]]:
    """The source's row of ``sources``, and its rows of ``rejects`` and ``labels``."""
    source = prepared.source
    labels: Counter[str] = Counter()
    words, tokens = np.zeros(1, np.int64), np.zeros(1, np.int64)
    folders = _fetch_once(prepared)
    screened = folders[prepared.screened.path]
    columns = ["text", "label", "tags", "token_ids"]
    if LABELS.name in schema_as_in(screened, TOKENS).names:
        columns.append(LABELS.name)
    for batch in iterate_shards(screened, columns=columns):
        words = _add_counts(words, pc.count_substring_regex(batch["text"], r"\S+").to_numpy())
        tokens = _add_counts(tokens, pc.list_value_length(batch["token_ids"]).to_numpy())
        labels.update(_labels_of(batch))
    rows_in, rows_out = prepared.examples.counts["rows_in"], prepared.screened.counts["rows_out"]
    row = {
        "source": source.name,
        "task type": source.task_type,
        "role": source.role or "/".join(source.label_roles or {}),
        "rows in": rows_in,
        "rows out": rows_out,
        "labels": len(labels),
        "rows a label": f"{min(labels.values(), default=0)} to {max(labels.values(), default=0)}",
    }
    for name, counts in (("words", words), ("tokens", tokens)):
        for percentile in _PERCENTILES:
            row[f"{name} {percentile}%"] = int(_percentile(counts, percentile))
    row["truncated"] = prepared.tokens.counts["rows_truncated"] / max(prepared.tokens.counts["rows_out"], 1)
    return (
        row,
        _rejects(source, list(folders.values())),
        [{"source": source.name, "label": label, "rows": number} for label, number in labels.most_common()],
    )


def _spans(prepared: Prepared) -> dict[str, Any] | None:
    """The source's row of ``spans``, or ``None`` if all of its spans fit whole words."""
    counts = prepared.examples.counts
    if not any(counts.get(name) for name in SPAN_COUNTS):
        return None
    return {
        "source": prepared.source.name,
        "spans trimmed": counts.get("spans_trimmed", 0),
        "spans widened": counts.get("spans_widened", 0),
    }


def _add_counts(counts: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """How many texts have each length: ``counts`` of earlier texts and those of a batch together."""
    added = np.bincount(lengths, minlength=len(counts))
    added[: len(counts)] += counts
    return added


def _percentile(counts: np.ndarray, percentile: float) -> float:
    """``np.percentile`` of the lengths that were counted; 0 if there are none."""
    total = counts.sum()
    if not total:
        return 0.0
    place = (total - 1) * percentile / 100
    below, above = np.searchsorted(np.cumsum(counts), [np.floor(place), np.ceil(place)], side="right")
    return float(below + (above - below) * (place % 1))


def _fetch_once(prepared: Prepared) -> dict[str, Path]:
    """The folder of each different stage by its path; fetching reads every file, so each only once."""
    stages = {stage.path: stage for stage in (prepared.examples, prepared.tokens, prepared.screened)}
    return {path: stage.fetch() for path, stage in stages.items()}


def _labels_of(batch: Any) -> Counter[str]:
    """The number of rows of each label; for ``ner``, of sentences with each entity type."""
    if LABELS.name in batch.schema.names:
        return Counter(batch[LABELS.name].flatten().to_pylist())
    if batch["tags"].null_count < batch.num_rows:
        return Counter(
            kind
            for tags in batch["tags"].to_pylist()
            for kind in {entity_type(tag) for tag in tags if tag != OUTSIDE}
        )
    found = pc.value_counts(batch["label"])
    return Counter(dict(zip(found.field(0).to_pylist(), found.field(1).to_pylist(), strict=True)))


def _rejects(source: Source, folders: Sequence[Path]) -> list[dict[str, Any]]:
    """Each reason in each stage's folder, with its number of rows and the first text."""
    rows = []
    for folder in folders:
        counts: Counter[str] = Counter()
        first: dict[str, str] = {}
        for batch in pq.ParquetFile(folder / "rejects.parquet").iter_batches(columns=["reason", "text"]):
            for reason, text in zip(batch["reason"].to_pylist(), batch["text"].to_pylist(), strict=True):
                counts[reason] += 1
                first.setdefault(reason, (text or "")[:_EXAMPLE_CHARACTERS])
        for reason, number in counts.most_common():
            rows.append({"source": source.name, "reason": reason, "rows": number, "example": first[reason]})
    return rows


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
