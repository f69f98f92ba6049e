"""The suspicious rows of one source as a table, whatever kind of labels it has.

Input: rows of examples. Output: the rows that were checked, and ``TABLE``: a line for each text whose label
is contradicted, or whose list of labels is, and for ``ner`` one for each place in a sentence.

    checked, table = find_suspicious(source, rows, mapper, min_probability=0.5)
"""

from __future__ import annotations

import warnings
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from metamapping.adaptation.label_checks.suspicious_labels import SuspiciousLabel, label_words
from metamapping.adaptation.mapper import MetaMapper
from metamapping.config.sources import Source
from metamapping.corpus.tags import OUTSIDE

TABLE = pa.schema(
    [
        pa.field("row", pa.int64(), nullable=False),
        pa.field("text", pa.string()),
        pa.field("text_pair", pa.string()),
        pa.field("words", pa.string()),  # ner only: those that the label is about
        pa.field("label", pa.string(), nullable=False),  # a list of labels as words, separated by commas
        pa.field("suggested", pa.string(), nullable=False),
        pa.field("probability", pa.float64(), nullable=False),
        pa.field("similar", pa.string(), nullable=False),
    ]
)

Kind = Literal["label", "list", "words"]
# The columns of examples that have the labels.
LABEL_COLUMNS: dict[Kind, list[str]] = {"label": ["label"], "list": ["labels"], "words": ["words", "tags"]}
_DIGITS, _SIMILAR_CHARACTERS = 4, 200


def kind_of(source: Source) -> Kind:
    """Return what the labels of a source are of: texts with one label, or a list of them, or words.

    Args:
        source: The source.
    """
    if source.task_type == "ner":
        return "words"
    return "list" if source.multi_label else "label"


def find_suspicious(
    source: Source, rows: pa.Table, mapper: MetaMapper, min_probability: float
) -> tuple[pa.Table, pa.Table]:
    """Find the rows of a source whose labels the others contradict.

    Args:
        source: The source.
        rows: Its examples, with the columns ``row``, ``text``, ``text_pair`` and ``LABEL_COLUMNS``.
        mapper: The encoder that judges them.
        min_probability: The lowest probability of a wrong label that counts.

    Returns:
        The rows that were checked, and those that were found, with the schema ``TABLE``: none if there are
        too few labels to tell apart.

    Raises:
        ValueError: The encoder cannot judge such labels.
    """
    kind = kind_of(source)
    if kind != "words":  # the encoder may clean more than the corpus does
        rows = rows.filter(pa.array(~_are_empty(mapper, rows)))
    values = rows[LABEL_COLUMNS[kind][-1]].to_pylist()
    labels = _labels(values, kind)
    if len(labels) < (2 if kind == "label" else 1) or rows.num_rows < 2:
        return rows, TABLE.empty_table()
    texts = rows["words" if kind == "words" else "text"].to_pylist()
    with warnings.catch_warnings():
        # About a label for nearly every row: the report of the corpus says so, too.
        warnings.simplefilter("ignore", UserWarning)
        found = mapper.suspicious_labels(
            texts,
            values,
            text_pairs=None if rows["text_pair"].null_count else rows["text_pair"].to_pylist(),
            label_names={label: name for label, name in source.label_names.items() if label in labels},
            task_type=source.task_type,
            multi_label=kind == "list",
            min_probability=min_probability,
        )
    shown = rows.select(["row", "text", "text_pair"]).to_pylist()
    return rows, pa.Table.from_pylist([shown[each.index] | _judgement(each) for each in found], schema=TABLE)


def _are_empty(mapper: MetaMapper, rows: pa.Table) -> np.ndarray:
    is_empty = mapper.featurizer.is_empty(rows["text"].to_pylist())
    if not rows["text_pair"].null_count:
        is_empty = is_empty | mapper.featurizer.is_empty(rows["text_pair"].to_pylist())
    return is_empty


def _labels(values: list[Any], kind: Kind) -> set[str]:
    if kind == "label":
        return set(values)
    if kind == "list":
        return {label for row in values for label in row}
    return {tag[2:] for tags in values for tag in tags if tag != OUTSIDE}


def _judgement(each: SuspiciousLabel) -> dict[str, Any]:
    similar = [
        f"{str(near.text)[:_SIMILAR_CHARACTERS]} ({label_words(near.label)})" for near in each.neighbours
    ]
    return {
        "words": None if each.word is None else each.excerpt,
        "label": label_words(each.label),
        "suggested": label_words(each.suggested),
        "probability": round(each.probability, _DIGITS),
        "similar": " | ".join(similar),
    }
