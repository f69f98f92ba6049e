"""Filters: decide which rows are rejected, and for which reason.

Input: cleaned rows. Output: a reason or ``None`` for each. Filters change nothing, and the caller counts. The
first filter that rejects a row determines its reason.

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
    """``rejects`` returns for each row of a batch whether it is rejected for ``reason``."""

    reason: str
    rejects: Callable[[pa.Table], pa.Array]


def find_reasons(rows: pa.Table, filters: list[Filter]) -> np.ndarray:
    """Apply filters to a batch of rows.

    Args:
        rows: The columns ``text``, ``text_pair``, ``label`` and ``reason``, with reasons found before.
        filters: The filters in their order.

    Returns:
        The reason of each row that is rejected, else ``None``: object ``(num_rows,)``.
    """
    reasons: np.ndarray = rows["reason"].to_numpy(zero_copy_only=False).astype(object)
    for each in filters:
        rejected = pc.fill_null(each.rejects(rows), False).to_numpy(zero_copy_only=False)
        if rejected.any():
            reasons[rejected & (reasons == None)] = each.reason  # noqa: E711  (numpy compares element by element)
    return reasons


def filters_of(source: Source, spec: FilterSpec) -> list[Filter]:
    """Return the filters of a source in their order.

    Args:
        source: The source. With ``keep_all``, only rows without a text or a known label are rejected.
        spec: The configured filters.

    Raises:
        ConfigError: A filter needs a package that is not installed.
    """
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
    """Filters of labels; the tags of ``ner`` are checked when they are converted to BIO."""
    if source.task_type == "ner":
        return []
    filters = [Filter("missing_label", lambda rows: pc.is_null(rows["label"]))]
    if source.multi_label:  # labels that are dropped have been removed from the lists
        return filters + ([] if source.labels is None else [_unknown_in_lists(source.labels)])
    if source.labels is not None:
        known = pa.array(source.labels, pa.string())
        filters.append(
            Filter("unknown_label", lambda rows: pc.invert(pc.is_in(rows["label"], value_set=known)))
        )
    if source.drop_labels:
        dropped = pa.array(source.drop_labels, pa.string())
        filters.append(Filter("dropped_label", lambda rows: pc.is_in(rows["label"], value_set=dropped)))
    return filters


def _unknown_in_lists(labels: list[str]) -> Filter:
    known = set(labels)

    def rejects(rows: pa.Table) -> pa.Array:
        return pa.array([bool(set(row or []) - known) for row in rows["labels"].to_pylist()])

    return Filter("unknown_label", rejects)


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
        filters.append(Filter("other_language", _is_in_other_language(spec.languages)))
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
    # A word and the space after it have at least two characters, so shorter texts have too few words.
    is_long = pc.greater_equal(pc.utf8_length(rows["text"]), 2 * MIN_WORDS - 1)
    rejected = pc.fill_null(is_long, False).to_numpy(zero_copy_only=False).copy()
    rejected[rejected] = [is_repetitive(text) for text in rows["text"].filter(is_long).to_pylist()]
    return pa.array(rejected)


def _is_in_other_language(languages: list[str]) -> Callable[[pa.Table], pa.Array]:
    try:
        import py3langid
    except ImportError as error:
        raise ConfigError(
            "filters.languages needs the package py3langid: install `metamapping[languages]`, or "
            "remove `languages`"
        ) from error

    def rejects(rows: pa.Table) -> pa.Array:
        texts = rows["text"].to_pylist()
        return pa.array([bool(text) and py3langid.classify(text)[0] not in languages for text in texts])

    return rejects
