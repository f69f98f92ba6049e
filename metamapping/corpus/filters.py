"""Filters: why a row is left out, as a reason or nothing.

A filter looks at a batch of cleaned rows and says which it rejects; it changes nothing, and the
caller counts. The first filter that rejects a row gives its reason.

    reasons = find_reasons(batch, filters_of(source, spec))       # [None, "empty_text", None, ...]
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from metamapping.config import CleaningSpec, Source


class Filter(NamedTuple):
    """``rejects`` answers for each row of a batch whether ``reason`` holds for it."""

    reason: str
    rejects: Callable[[pa.Table], pa.Array]


def find_reasons(rows: pa.Table, filters: list[Filter]) -> np.ndarray:
    """The reason of each row, ``None`` where it stays: object ``(num_rows,)``.

    ``rows`` holds ``text``, ``text_pair``, ``label`` and ``reason``, the reasons found before.
    """
    reasons: np.ndarray = rows["reason"].to_numpy(zero_copy_only=False).astype(object)
    for each in filters:
        rejected = _plain(each.rejects(rows))
        reasons[rejected & (reasons == None)] = each.reason  # noqa: E711  (element by element)
    return reasons


def filters_of(source: Source, spec: CleaningSpec) -> list[Filter]:
    """The filters that hold for ``source``, in the order of their reasons."""
    filters = [
        Filter("missing_text", lambda rows: pc.is_null(rows["text"])),
        Filter("empty_text", lambda rows: pc.equal(rows["text"], "")),
        Filter("too_short", lambda rows: pc.less(_characters(rows), spec.min_characters)),
        Filter("too_long", lambda rows: pc.greater(_characters(rows), spec.max_characters)),
    ]
    if source.columns.text_pair is not None:
        filters += [
            Filter("missing_text_pair", lambda rows: pc.is_null(rows["text_pair"])),
            Filter("empty_text_pair", lambda rows: pc.equal(rows["text_pair"], "")),
        ]
    if source.task_type != "ner":
        filters.append(Filter("missing_label", lambda rows: pc.is_null(rows["label"])))
        if source.labels is not None:
            known = pa.array(source.labels, pa.string())
            filters.append(
                Filter("unknown_label", lambda rows: pc.invert(pc.is_in(rows["label"], value_set=known)))
            )
        if source.drop_labels:
            dropped = pa.array(source.drop_labels, pa.string())
            filters.append(Filter("dropped_label", lambda rows: pc.is_in(rows["label"], value_set=dropped)))
    return filters


def _characters(rows: pa.Table) -> pa.Array:
    """Characters of a row, those of a second text included."""
    pair = pc.coalesce(rows["text_pair"], pa.scalar("", pa.string()))
    return pc.add(pc.utf8_length(rows["text"]), pc.utf8_length(pair))


def _plain(mask: pa.Array) -> np.ndarray:
    return np.asarray(pc.fill_null(mask, False).to_numpy(zero_copy_only=False), dtype=bool)
