"""Guessing: what the columns of a file with labelled texts contain, from their names and first rows.

Input: the path of a file that the commands can read. Output: a ``Guess``, a proposal that its user corrects.

    guess = guess_file("reviews.csv")
    guess.task_type, guess.text, guess.label            # "sentiment-analysis", "review", "stars"
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from metamapping.cli.columns import LABEL_NAMES, Column, is_pair, label_column, label_texts_of, text_columns
from metamapping.cli.entity_rows import columns_of
from metamapping.cli.found_columns import is_without_header
from metamapping.cli.options import Format, input_source
from metamapping.cli.records import open_records
from metamapping.cli.rows import TAGS, WORDS, NumberedRow, Row, SentenceRow
from metamapping.config.labels import separator_in
from metamapping.config.sources import TaskType
from metamapping.corpus.columns import listed_names, nested_value
from metamapping.corpus.indicators import are_indicators, indicated_labels
from metamapping.corpus.label_lists import has_label_list
from metamapping.corpus.span_formats import has_spans, read_entities
from metamapping.corpus.spans import AlignedText, SpanError
from metamapping.corpus.tags import OUTSIDE, entity_types, find_scheme, is_tag
from metamapping.corpus.word_lists import word_list

MAX_ROWS = 20_000
_SENTIMENTS = frozenset(
    {"positive", "negative", "neutral", "mixed", "pos", "neg", "neu", "good", "bad", "great", "terrible"}
    | {"very_positive", "very_negative"}
)
_RATING_NAMES = frozenset({"rating", "ratings", "stars", "star", "sentiment", "polarity", "score", "grade"})
_WORDS_NAMES = (WORDS, "tokens", "word", "token")
_TAGS_NAMES = (TAGS, "ner_tags", "ner", "labels", "entities", "bio", "tag")


@dataclass(frozen=True)
class Guess:
    """A proposal for a source.

    Attributes:
        path: The file.
        format: Format of the file, where its suffix does not tell it.
        header: Whether its first line names the columns.
        task_type: Type of the task.
        text: Column of the text, or of words.
        text_pair: Column of the second text, if texts are pairs.
        label: Column of the label, or of tags or spans.
        labels: For each label the number of different texts; for ``ner``, of sentences with the type.
        num_rows: Number of rows that were looked at.
        is_whole: Whether these are all rows.
        num_words: Length in words that 95 % of the texts do not exceed.
        multi_label: Whether a text has any number of labels.
        label_separator: What separates them in one text; ``None`` if they are lists.
        label_columns: Columns of 0 and 1, one for each label, instead of one column of labels.
    """

    path: str
    format: Format | None
    header: bool
    task_type: TaskType
    text: str | int
    text_pair: str | int | None
    label: str | int | None
    labels: dict[str, int]
    num_rows: int
    is_whole: bool
    num_words: int
    multi_label: bool = False
    label_separator: str | None = None
    label_columns: tuple[str, ...] = ()

    @property
    def has_codes(self) -> bool:
        """Whether the labels are numbers or single letters, which say nothing to the encoder."""
        return all(len(label.strip("+-")) <= 1 or label.lstrip("+-").isdecimal() for label in self.labels)


@dataclass(frozen=True)
class Given:
    """What the user has said about all files; ``None`` is guessed."""

    task_type: TaskType | None = None
    text: str | None = None
    text_pair: str | None = None
    label: str | None = None
    format: Format | None = None


def guess_file(path: str, given: Given = Given()) -> Guess:
    """Look at the first rows of a file.

    Args:
        path: The file.
        given: What is known already.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file cannot be read, or has no columns that can be texts and labels.
    """
    rows, is_whole = _first_rows(path, given, header=True)
    if rows and isinstance(rows[0], SentenceRow):
        return _guess_words(path, given, rows, WORDS, TAGS, is_whole)
    header = True
    if is_without_header(rows):
        header = False
        rows, is_whole = _first_rows(path, given, header=False)
    columns = _columns(rows)
    if texts_and_spans := _texts_and_spans(rows, given):
        return _guess_spans(path, given, rows, *texts_and_spans, is_whole)
    if words_and_tags := _words_and_tags(columns, given):
        return _guess_words(path, given, rows, *words_and_tags, is_whole)
    if header and len(indicators := _indicators(columns, given)) > 1:
        return _guess_indicated(path, given, columns, indicators, is_whole)
    label = label_column(columns, given.label)
    texts = text_columns([column for column in columns if column is not label], given.text)
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
        num_words=_percentile([*text.lengths, *(pair.lengths if pair else ())]),
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
        num_words=_percentile([*text.lengths, *(pair.lengths if pair else ())]),
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


def _columns(rows: Sequence[Row]) -> list[Column]:
    """All columns, those of nested objects under their dotted names."""
    flat = [dict(_flattened(row)) for row in rows]
    names = dict.fromkeys(name for row in flat for name in row)
    return [Column(name, place, [row.get(name) for row in flat]) for place, name in enumerate(names)]


def _flattened(row: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in row.items():
        if isinstance(value, dict):
            yield from _flattened(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _texts_and_spans(rows: Sequence[Row], given: Given) -> tuple[str, str] | None:
    """The names of the columns of texts and of their spans, if there are such."""
    if given.task_type not in (None, "ner") or isinstance(rows[0], NumberedRow):
        return None
    text, label = columns_of(rows[0], given.text, given.label)
    values = [(nested_value(row, text), nested_value(row, label)) for row in rows[:100]]
    if not all(isinstance(value, str) and has_spans(value, spans) for value, spans in values):
        return None
    return (text, label) if any(aligned and aligned.spans for aligned in map(_aligned, values)) else None


def _guess_spans(
    path: str, given: Given, rows: Sequence[Row], text: str, label: str, is_whole: bool
) -> Guess:
    """A guess for rows of texts with spans."""
    texts = [_aligned((nested_value(row, text), nested_value(row, label))) for row in rows]
    aligned = [each for each in texts if each is not None]
    counts = Counter(kind for each in aligned for kind in {span.label for span in each.spans})
    return Guess(
        path=path,
        format=given.format,
        header=True,
        task_type="ner",
        text=text,
        text_pair=None,
        label=label,
        labels=dict(sorted(counts.items())),
        num_rows=len(rows),
        is_whole=is_whole,
        num_words=_percentile([len(each.words) for each in aligned]),
    )


def _aligned(text_and_spans: tuple[Any, Any]) -> AlignedText | None:
    """The words of a text with their tags; ``None`` if the spans do not fit, so that it will be rejected."""
    try:
        return read_entities(*text_and_spans) if has_spans(*text_and_spans) else None
    except SpanError:
        return None


def _words_and_tags(columns: Sequence[Column], given: Given) -> tuple[str, str] | None:
    """The names of the columns of words and of tags, if there are such."""
    if given.task_type not in (None, "ner"):
        return None
    by_name = {column.name.rsplit(".", 1)[-1].lower(): column for column in columns}
    words = given.text or next((by_name[n].name for n in _WORDS_NAMES if n in by_name), None)
    tags = given.label or next((by_name[n].name for n in _TAGS_NAMES if n in by_name), None)
    if words is None or tags is None:
        return None
    column = next((column for column in columns if column.name == tags), None)
    if column is None:
        return None
    found = [_tags(value) for value in column.all_raw[:100]]
    is_tagged = all(row is not None and all(map(_is_any_tag, row)) for row in found)
    has_outside = any(OUTSIDE in row for row in found if row)
    return (words, tags) if given.task_type == "ner" or (is_tagged and has_outside) else None


def _guess_words(
    path: str, given: Given, rows: Sequence[Row], words: str, tags: str, is_whole: bool
) -> Guess:
    """A guess for rows of words with a tag each."""
    flat = [dict(_flattened(row)) for row in rows]
    all_tags = [_tags(row.get(tags)) or [] for row in flat]
    if not any(all_tags):
        raise ValueError(f"{path}: its words have no tags: give a file with a tag in the last column")
    scheme = find_scheme(tag for row in all_tags for tag in row)
    counts = Counter(kind for row in all_tags for kind in entity_types(set(row), scheme))
    in_conll = isinstance(rows[0], SentenceRow)
    return Guess(
        path=path,
        format=given.format,
        header=True,
        task_type="ner",
        text=0 if in_conll else words,
        text_pair=None,
        label=-1 if in_conll else tags,
        labels=dict(sorted(counts.items())),
        num_rows=len(rows),
        is_whole=is_whole,
        num_words=_percentile([len(_tags(row.get(words)) or []) for row in flat]),
    )


def _tags(value: Any) -> list[str] | None:
    if isinstance(value, str):
        return word_list(value)
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return value
    return None


def _is_any_tag(tag: str) -> bool:
    return tag == OUTSIDE or is_tag(tag)


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


def _percentile(lengths: Sequence[int]) -> int:
    return sorted(lengths)[int(0.95 * (len(lengths) - 1))] if lengths else 0
