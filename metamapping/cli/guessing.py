"""Guessing: what the columns of a file with labelled texts contain, from their names and first rows.

Input: the path of a file that the commands can read. Output: a ``Guess``, a proposal that its user corrects.

    guess = guess_file("reviews.csv")
    guess.task_type, guess.text, guess.label            # "sentiment-analysis", "review", "stars"
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from metamapping.cli.columns import (
    LABEL_NAMES,
    Column,
    columns_of_rows,
    is_pair,
    label_column,
    label_texts_of,
    text_columns,
)
from metamapping.cli.entity_guessing import (
    find_texts_and_spans,
    find_words_and_tags,
    guess_spans,
    guess_words,
)
from metamapping.cli.found_columns import is_without_header
from metamapping.cli.guess import Given, Guess, frequent_length
from metamapping.cli.input_source import input_source
from metamapping.cli.records import open_records
from metamapping.cli.rows import TAGS, WORDS, Row, SentenceRow
from metamapping.config.labels import separator_in
from metamapping.config.sources import TaskType
from metamapping.corpus.columns import listed_names
from metamapping.corpus.indicators import are_indicators, indicated_labels
from metamapping.corpus.label_lists import has_label_list

MAX_ROWS = 20_000
_SENTIMENTS = frozenset(
    {"positive", "negative", "neutral", "mixed", "pos", "neg", "neu", "good", "bad", "great", "terrible"}
    | {"very_positive", "very_negative"}
)
_RATING_NAMES = frozenset({"rating", "ratings", "stars", "star", "sentiment", "polarity", "score", "grade"})


def guess_file(path: str, given: Given | None = None) -> Guess:
    """Look at the first rows of a file.

    Args:
        path: The file.
        given: What is known already. Default: nothing.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file cannot be read, or has no columns that can be texts and labels.
    """
    given = given or Given()
    rows, is_whole = _first_rows(path, given, header=True)
    if rows and isinstance(rows[0], SentenceRow):
        return guess_words(path, given, rows, WORDS, TAGS, is_whole)
    header = True
    if is_without_header(rows):
        header = False
        rows, is_whole = _first_rows(path, given, header=False)
    columns = columns_of_rows(rows)
    if texts_and_spans := find_texts_and_spans(rows, given):
        return guess_spans(path, given, rows, *texts_and_spans, is_whole)
    if words_and_tags := find_words_and_tags(columns, given):
        return guess_words(path, given, rows, *words_and_tags, is_whole)
    if header and len(indicators := _indicators(columns, given)) > 1:
        return _guess_indicated(path, given, columns, indicators, is_whole)
    label = label_column([each for each in columns if each.name != given.text], given.label)
    # What is named as the second text is not the first one.
    firsts = [each for each in columns if each is not label and each.name != given.text_pair]
    texts = text_columns(firsts, given.text)
    if label is None or not texts:
        what, option = ("texts", "--text") if label is not None else ("labels", "--label")
        names = listed_names([column.name for column in columns])
        raise ValueError(
            f"{path}: none of its columns looks like {what} ({names}): name the column with {option}, or "
            "give a file that has one"
        )
    text, pair = texts[0], _pair_of(texts, columns, given)
    has_lists = any(map(has_label_list, label.all_raw))
    separator = None if has_lists else separator_in(label.values)
    multi_label = has_lists or separator is not None
    if multi_label:
        lists = [label_texts_of(value, separator) for value in label.all_raw]
    else:
        lists = [[] if name is None else [name] for name in label.all_values]
    labels = _label_counts(text, lists)
    if not labels:
        raise ValueError(
            f"{path}: its column {label.name!r} has no label of a text: name that of the labels with --label"
        )
    return Guess(
        path=path,
        format=given.format,
        header=header,
        task_type=given.task_type or _text_task(labels, label.name),
        text=_named(text, header),
        text_pair=None if pair is None else _named(pair, header),
        label=_named(label, header),
        labels=dict(sorted(labels.items())),
        num_rows=len(rows),
        is_whole=is_whole,
        num_words=frequent_length([*text.lengths, *(pair.lengths if pair else ())]),
        multi_label=multi_label,
        label_separator=separator,
    )


def _label_counts(text: Column, lists: Sequence[Sequence[str]]) -> dict[str, int]:
    """For each label the number of different texts that have it."""
    different: dict[str, set[str]] = {}
    for value, of_text in zip(text.all_values, lists, strict=True):
        for name in of_text:
            if isinstance(value, str) and value.strip():
                different.setdefault(name, set()).add(" ".join(value.lower().split()))
    return {name: len(of_label) for name, of_label in different.items()}


def _indicators(columns: Sequence[Column], given: Given) -> list[Column]:
    """The columns of 0 and 1, if no other column is, or looks like, that of the labels."""
    if given.label is not None or given.task_type == "ner":
        return []
    found = [column for column in columns if are_indicators(column.all_raw)]
    others = [column for column in columns if column not in found]
    has_label = any(column.own_name in LABEL_NAMES for column in found) or label_column(others) is not None
    return [] if has_label else found


def _guess_indicated(
    path: str, given: Given, columns: Sequence[Column], indicators: Sequence[Column], is_whole: bool
) -> Guess:
    """A guess for rows with a column of 0 and 1 for each label."""
    texts = text_columns([column for column in columns if column not in indicators], given.text)
    if not texts:
        known = listed_names([column.name for column in columns])
        raise ValueError(
            f"{path}: none of its columns looks like texts ({known}): name the column with --text, or give a "
            "file that has one"
        )
    text, pair = texts[0], _pair_of(texts, columns, given)
    names = [column.name for column in indicators]
    rows = zip(*(column.all_raw for column in indicators), strict=True)
    lists = [indicated_labels(zip(names, row, strict=True)) for row in rows]
    return Guess(
        path=path,
        format=given.format,
        header=True,
        task_type=given.task_type or "text-classification",
        text=text.name,
        text_pair=None if pair is None else pair.name,
        label=None,
        labels=dict(sorted(_label_counts(text, lists).items())),
        num_rows=len(lists),
        is_whole=is_whole,
        num_words=frequent_length([*text.lengths, *(pair.lengths if pair else ())]),
        multi_label=any(len(labels) != 1 for labels in lists),
        label_columns=tuple(names),
    )


def _first_rows(path: str, given: Given, *, header: bool) -> tuple[list[Row], bool]:
    """The first rows, and whether these are all. A later row that cannot be read ends them."""
    rows: list[Row] = []
    with open_records(path, given.format, input_source(header=header)) as records:
        try:
            rows.extend(itertools.islice(records.rows, MAX_ROWS + 1))
        except ValueError:
            # Rows that cannot be read are rejected, and reported, when the source is prepared.
            if not rows:
                raise
            return rows, False
    if not rows:
        raise ValueError(f"{path} has no rows: give a file with labelled texts")
    return rows[:MAX_ROWS], len(rows) <= MAX_ROWS


def _pair_of(texts: Sequence[Column], columns: Sequence[Column], given: Given) -> Column | None:
    if given.text_pair is not None:
        found = [column for column in columns if column.name == given.text_pair]
        if not found:
            raise ValueError(
                f"there is no column {given.text_pair!r}, but {listed_names([c.name for c in columns])}: "
                "correct --text-pair"
            )
        return found[0]
    return next((other for other in texts[1:] if is_pair(texts[0].name, other.name)), None)


def _text_task(labels: dict[str, int], label_name: str) -> TaskType:
    spelled = {label.lower().replace(" ", "_") for label in labels}
    are_numbers = all(label.lstrip("+-").replace(".", "", 1).isdecimal() for label in labels)
    is_rating = are_numbers and label_name.rsplit(".", 1)[-1].lower() in _RATING_NAMES
    is_sentiment = spelled <= _SENTIMENTS or {"-1", "1"} <= spelled <= {"-1", "0", "1"}
    return "sentiment-analysis" if is_sentiment or is_rating else "text-classification"


def _named(column: Column, header: bool) -> str | int:
    return column.name if header else column.place
