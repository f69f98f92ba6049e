"""Report tables: what came into a corpus, what came out, and what was rejected for which reasons.

Input: the finished stages of every source. Output: pandas tables.

    report = describe_corpus(prepared, leaks_folder)
    report.rejects                          # source, reason, rows, example
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
from metamapping.storage.artifacts import Reference

_PERCENTILES = (50, 95, 100)
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
