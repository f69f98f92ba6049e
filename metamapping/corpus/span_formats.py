"""Span formats: how annotation tools write a text and its spans, and which columns have them.

- doccano: ``{"text": …, "label": [[0, 3, "PER"]]}``, or ``entities`` with ``start_offset``, ``end_offset``
  and ``label``;
- Prodigy and spaCy: ``{"text": …, "spans": [{"start": 0, "end": 3, "label": "PER"}]}``, or
  ``[text, {"entities": [[0, 3, "PER"]]}]``;
- Label Studio: ``{"data": {"text": …}, "annotations": [{"result": [{"value": {"start": 0, "end": 3, "labels":
  ["PER"]}}]}]}``;
- GLiNER: ``{"tokenized_text": ["Eve", …], "ner": [[0, 0, "PER"]]}``, with the numbers of the first and the
  last word.

    text, label = entity_columns(["id", "text", "spans"])                  # "text", "spans"
    if has_spans("Eve moved", [[0, 3, "PER"]]):
        read_entities("Eve moved", [[0, 3, "PER"]]).tags                   # ["B-PER", "O"]

A field of CSV has the list as JSON.
"""

from __future__ import annotations

import json
import operator
from collections.abc import Collection
from typing import Any

from metamapping.config.labels import NotOneLabelError, label_text
from metamapping.corpus.columns import find_name
from metamapping.corpus.spans import MALFORMED_SPANS, AlignedText, Span, SpanError, align, align_words
from metamapping.corpus.tags import OUTSIDE

NOT_ACCEPTED = "not_accepted"
SEVERAL_ANNOTATIONS = "several_annotations"
MISSING = "missing_label"

ANSWER = "answer"  # the column of Prodigy that says whether a row was accepted
SPAN_COLUMNS = ("spans", "entities", "label", "labels")
_STARTS, _ENDS = ("start", "start_offset"), ("end", "end_offset")
_LABELS = ("label", "labels", "type")
_EXPECTED = 'expected a list of spans, such as [[0, 3, "PER"]] or [{"start": 0, "end": 3, "label": "PER"}]'
_MAX_SHOWN = 60


def entity_columns(
    names: Collection[str], text: str | None = None, label: str | None = None
) -> tuple[str, str]:
    """Return the columns of texts and annotations of a ``ner`` source, as far as they are not configured.

    Args:
        names: The names of the columns that exist, or a row of JSON with them.
        text: The configured column of texts or words.
        label: The configured column of tags or spans.
    """
    if text is None and label is None and not _has_any(names, "words", "tags"):
        if _has_any(names, "tokenized_text"):
            return "tokenized_text", "ner"
        if "data" in names and "annotations" in names:
            return f"data.{_text_key(names)}", "annotations"
        if _has_any(names, "text"):
            return "text", next((name for name in SPAN_COLUMNS if _has_any(names, name)), "spans")
        return "words", "tags"
    if label is None:
        known = ("tags", *SPAN_COLUMNS, "ner", "annotations")
        label = next((name for name in known if _has_any(names, name) and name != text), "tags")
    if text is None:
        texts = ("words", "text", "tokenized_text")
        text = next((name for name in texts if _has_any(names, name)), "words")
    return text, label


def _has_any(names: Collection[str], *wanted: str) -> bool:
    return any(find_name(name, names) is not None for name in wanted)


def has_spans(text: Any, label: Any, column: str | int | None = None) -> bool:
    """Return whether an annotation is spans and not tags.

    Args:
        text: The text, or its words.
        label: The annotation.
        column: The name of its column if it was not configured, but found: spans that cannot be read are
            spans then, too.
    """
    if isinstance(text, list | tuple):
        return _has_items(label) or (column == "ner" and label is not None)
    if not isinstance(text, str) or label is None:
        return False
    if column in SPAN_COLUMNS or column == "annotations":
        return True
    value = _parsed(label)
    return isinstance(value, dict) or _has_items(value) or (isinstance(value, list) and not value)


def read_entities(text: Any, label: Any, column: str | int | None = None) -> AlignedText:
    """Return the words and tags of a text with spans.

    Args:
        text: The text, or its words if the spans count words.
        label: The spans, as any of the tools writes them.
        column: The name of their column.

    Raises:
        SpanError: The spans cannot be read, or do not fit the text.
    """
    value = _parsed(label)
    if value is None or (column == "annotations" and not value):
        raise SpanError(MISSING, f"there are no spans: {_EXPECTED}, or [] for a text without entities")
    if isinstance(text, str):
        return align(text, [_span(each) for each in _items(value)])
    words = ["" if word is None else str(word) for word in text]
    return align_words(words, [_span_of_words(each) for each in _items(value)])


def answer_problem(record: Any) -> str | None:
    """Return why a row of Prodigy must not be learned, or ``None`` if it was accepted.

    Args:
        record: The row; its ``answer`` is `accept`, `reject` or `ignore`, if there is one.
    """
    answer = record.get(ANSWER) if isinstance(record, dict) else None
    if answer in ("reject", "ignore"):
        return f"the `answer` is {answer!r}, so that its annotation is not true: leave the row out"
    return None


def _text_key(row: Collection[str]) -> str:
    """The key of the text in the data of a task of Label Studio, which each project names itself."""
    data = row["data"] if isinstance(row, dict) else None
    texts = [key for key, value in data.items() if isinstance(value, str)] if isinstance(data, dict) else []
    return "text" if "text" in texts or len(texts) != 1 else texts[0]


def _parsed(label: Any) -> Any:
    """The annotation; a text that is JSON, as in a field of CSV, is parsed."""
    if hasattr(label, "tolist"):  # an array of NumPy, as pandas has lists of Parquet
        return label.tolist()
    if not isinstance(label, str) or not label.lstrip().startswith(("[", "{")):
        return label
    try:
        return json.loads(label)
    except (ValueError, RecursionError):
        return label


def _has_items(value: Any) -> bool:
    return isinstance(value, list | tuple) and any(isinstance(item, list | tuple | dict) for item in value)


def _items(value: Any) -> list[Any]:
    """The spans of an annotation, as they are written."""
    if isinstance(value, dict):
        name = next((name for name in ("entities", "spans") if name in value), None)
        if name is None:
            raise _malformed(value)
        return _items(value[name])
    if not isinstance(value, list | tuple):
        raise _malformed(value)
    items = list(value)
    if any(isinstance(item, dict) and "result" in item for item in items):
        return _label_studio(items)
    return items


def _label_studio(annotations: list[Any]) -> list[Any]:
    """The spans of the only annotation that was not cancelled, or of the one that is the ground truth."""
    submitted = [
        each for each in annotations if isinstance(each, dict) and each.get("was_cancelled") is not True
    ]
    if not submitted:
        raise SpanError(NOT_ACCEPTED, "all of its annotations were cancelled: leave the row out")
    results = [_values(each.get("result")) for each in submitted]
    truth = [result for each, result in zip(submitted, results, strict=True) if each.get("ground_truth")]
    chosen = truth or results
    if any(result != chosen[0] for result in chosen[1:]):
        raise SpanError(
            SEVERAL_ANNOTATIONS,
            f"there are {len(chosen)} annotations that differ: mark one of them as the ground truth",
        )
    return chosen[0]


def _values(result: Any) -> list[Any]:
    """The labelled regions of an annotation; choices and relations are left out."""
    if not isinstance(result, list):
        raise _malformed(result)
    values = [each.get("value") for each in result if isinstance(each, dict)]
    return [value for value in values if isinstance(value, dict) and "start" in value and "labels" in value]


def _span(item: Any) -> Span:
    if hasattr(item, "_asdict"):  # a named tuple, such as a prediction
        item = item._asdict()
    if isinstance(item, list | tuple) and len(item) == 3:
        return Span(_number(item[0], item), _number(item[1], item), _type(item[2], item))
    if not isinstance(item, dict):
        raise _malformed(item)
    start, end, label = (
        next((item[name] for name in names if item.get(name) is not None), None)
        for names in (_STARTS, _ENDS, _LABELS)
    )
    written = item.get("text")
    return Span(
        _number(start, item),
        _number(end, item),
        _type(label, item),
        written if isinstance(written, str) else None,
    )


def _span_of_words(item: Any) -> Span:
    if not isinstance(item, list | tuple) or len(item) != 3:
        raise SpanError(
            MALFORMED_SPANS,
            f"a span is {_shown(item)}: for a list of words, expected the numbers of its first and last word "
            'and its type, such as [0, 1, "PER"]',
        )
    return Span(_number(item[0], item), _number(item[1], item) + 1, _type(item[2], item))


def _number(value: Any, item: Any) -> int:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    try:
        if isinstance(value, bool):
            raise TypeError
        return operator.index(value)
    except TypeError:
        raise SpanError(
            MALFORMED_SPANS,
            f"a span is {_shown(item)}: start and end are whole numbers of characters; {_EXPECTED}",
        ) from None


def _type(value: Any, item: Any) -> str:
    try:
        label = label_text(value)
    except NotOneLabelError as error:
        raise SpanError(
            MALFORMED_SPANS, f"a span is {_shown(item)}: a span has one type: drop all types but one"
        ) from error
    if label is None or label == OUTSIDE:
        raise SpanError(
            MALFORMED_SPANS,
            f"a span is {_shown(item)}: it needs the type of its entity"
            + (", and 'O' is what words outside of entities have" if label else ""),
        )
    return label


def _malformed(value: Any) -> SpanError:
    return SpanError(MALFORMED_SPANS, f"the spans are {_shown(value)}: {_EXPECTED}")


def _shown(value: Any) -> str:
    try:
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    except (RecursionError, TypeError, ValueError):
        text = type(value).__name__
    text = " ".join(text.split())
    return text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}…"
