"""Filters: why a row is left out, as a reason or nothing.

A filter looks at a batch of cleaned rows and says which it rejects; it changes nothing, and the
caller counts. The first filter that rejects a row gives its reason.

    reasons = find_reasons(rows, filters_of(source, spec))       # [None, "empty_text", None, ...]
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from metamapping.config.corpus import FilterSpec
from metamapping.config.sources import Source
from metamapping.corpus.repetition import MIN_WORDS, is_repetitive
from metamapping.errors import ConfigError


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
        rejected = pc.fill_null(each.rejects(rows), False).to_numpy(zero_copy_only=False)
        if rejected.any():
            reasons[rejected & (reasons == None)] = each.reason  # noqa: E711  (element by element)
    return reasons


def filters_of(source: Source, spec: FilterSpec) -> list[Filter]:
    """The filters that hold for ``source``, in the order of their reasons."""
    return _presence(source) + _labels(source) + ([] if source.keep_all else _texts(spec))


def _presence(source: Source) -> list[Filter]:
    filters = [
        Filter("missing_text", lambda rows: pc.is_null(rows["text"])),
        Filter("empty_text", lambda rows: pc.equal(rows["text"], "")),
    ]
    if source.columns.text_pair is not None:
        filters += [
            Filter("missing_text_pair", lambda rows: pc.is_null(rows["text_pair"])),
            Filter("empty_text_pair", lambda rows: pc.equal(rows["text_pair"], "")),
        ]
    return filters


def _labels(source: Source) -> list[Filter]:
    """What ``ner`` checks in its tags, word by word, when it makes them BIO."""
    if source.task_type == "ner":
        return []
    filters = [Filter("missing_label", lambda rows: pc.is_null(rows["label"]))]
    if source.labels is not None:
        known = pa.array(source.labels, pa.string())
        filters.append(
            Filter("unknown_label", lambda rows: pc.invert(pc.is_in(rows["label"], value_set=known)))
        )
    if source.drop_labels:
        dropped = pa.array(source.drop_labels, pa.string())
        filters.append(Filter("dropped_label", lambda rows: pc.is_in(rows["label"], value_set=dropped)))
    return filters


def _texts(spec: FilterSpec) -> list[Filter]:
    filters = [
        Filter("too_short", lambda rows: pc.less(_characters(rows), spec.min_characters)),
        Filter("too_long", lambda rows: pc.greater(_characters(rows), spec.max_characters)),
    ]
    if spec.min_words > 1:
        filters.append(Filter("too_few_words", lambda rows: pc.less(_words(rows), spec.min_words)))
    if spec.max_words is not None:
        filters.append(Filter("too_many_words", lambda rows: pc.greater(_words(rows), spec.max_words)))
    if spec.letters:
        filters.append(Filter("no_letters", lambda rows: pc.invert(_has_letters(rows))))
    if spec.repetition:
        filters.append(Filter("repetition", _repeats))
    if spec.languages:
        filters.append(Filter("other_language", _speaks_other_than(spec.languages)))
    return filters


def _characters(rows: pa.Table) -> pa.Array:
    return pc.add(pc.utf8_length(rows["text"]), pc.utf8_length(_pairs(rows)))


def _words(rows: pa.Table) -> pa.Array:
    count = pc.count_substring_regex
    return pc.add(count(rows["text"], r"\S+"), count(_pairs(rows), r"\S+"))


def _has_letters(rows: pa.Table) -> pa.Array:
    find = pc.match_substring_regex
    return pc.or_(find(rows["text"], r"\pL"), find(_pairs(rows), r"\pL"))


def _pairs(rows: pa.Table) -> pa.Array:
    return pc.fill_null(rows["text_pair"], "")


def _repeats(rows: pa.Table) -> pa.Array:
    # A word and the space after it have two characters at least: shorter texts need no look.
    long = pc.greater_equal(pc.utf8_length(rows["text"]), 2 * MIN_WORDS - 1)
    rejected = pc.fill_null(long, False).to_numpy(zero_copy_only=False).copy()
    rejected[rejected] = [is_repetitive(text) for text in rows["text"].filter(long).to_pylist()]
    return pa.array(rejected)


def _speaks_other_than(languages: list[str]) -> Callable[[pa.Table], pa.Array]:
    try:
        import py3langid
    except ImportError as error:
        raise ConfigError(
            "filters.languages needs the package py3langid: install `metamapping[languages]`, or take "
            "`languages` out"
        ) from error

    def rejects(rows: pa.Table) -> pa.Array:
        texts = rows["text"].to_pylist()
        return pa.array([bool(text) and py3langid.classify(text)[0] not in languages for text in texts])

    return rejects
