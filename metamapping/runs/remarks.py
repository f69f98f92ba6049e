"""Remarks: what a person should look at before a run starts, because the run would not fail by it.

for sentence in remarks_on(config, prepared):
    print(sentence)
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from typing import Any

import pandas as pd

from metamapping.config.labels import label_column_doubt
from metamapping.config.schema import RunConfig
from metamapping.config.sources import Source

# With fewer, an interval over sources says little about further sources.
ENOUGH_VALIDATION_SOURCES = 5
# A source that loses a larger part of its rows, or of whose texts a larger part is cut off, is named.
_MANY = 0.2


def remarks_on(config: RunConfig, sources: pd.DataFrame, labels: pd.DataFrame) -> Iterator[str]:
    """Say what looks wrong, or makes a result less certain than it seems.

    Args:
        config: The configuration.
        sources: ``sources.csv`` of the report of its corpus.
        labels: ``labels.csv`` of the same report.

    Yields:
        A sentence for each remark.
    """
    num_validated = len(config.sources_with("validation"))
    if num_validated < ENOUGH_VALIDATION_SOURCES:
        yield (
            f"{num_validated} validation source{'s' if num_validated > 1 else ''}: with fewer than "
            f"{ENOUGH_VALIDATION_SOURCES}, rounds are judged by chance in part; move some train sources there"
        )
    trained = {source.task_type for source in config.sources_with("train")}
    names = {
        str(name): sorted(map(str, rows["label"])) for name, rows in labels.groupby("source", sort=False)
    }
    for source, row in zip(config.sources, sources.to_dict("records"), strict=True):
        yield from _remarks_on_source(config, source, row, names.get(source.name, []))
        if source.task_type not in trained:
            yield f"{source.name}: no train source is of the type {source.task_type}"
    yield from _same_labels(config, names)


def _remarks_on_source(
    config: RunConfig, source: Source, row: dict[Hashable, Any], labels: list[str]
) -> Iterator[str]:
    rows_in, rows_out = row["rows in"], row["rows out"]
    if rows_in - rows_out > _MANY * rows_in:
        yield f"{source.name}: {rows_in - rows_out:,} of {rows_in:,} rows are left out"
    if row["truncated"] > _MANY:
        yield (
            f"{source.name}: {row['truncated']:.0%} of the texts exceed `encoder.max_length_tokens`, "
            f"now {config.encoder.max_length_tokens}"
        )
    if source.task_type != "ner" and (doubt := label_column_doubt(len(labels), rows_out)):
        yield f"{source.name}: {doubt}"
    unnamed = [label for label in labels if label not in source.label_names]
    if unnamed and all(label.lstrip("+-").isdecimal() for label in unnamed):
        shown = ", ".join(unnamed[:5])
        yield (
            f"{source.name}: its labels are codes ({shown}), and the encoder reads the names of labels: say "
            "what they mean with `label_names`"
        )


def _same_labels(config: RunConfig, names: dict[str, list[str]]) -> Iterator[str]:
    """Held-out sources of which every label is trained on."""
    for source in config.sources_with("validation") + config.sources_with("test"):
        own = set(names.get(source.name, []))
        for other in config.sources_with("train"):
            if other.name != source.name and own and own == set(names.get(other.name, [])):
                yield (
                    f"{source.name}: it has exactly the labels of the train source {other.name}, so it shows "
                    "how well known labels are predicted, not new ones"
                )
                break
