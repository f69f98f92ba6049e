"""The entry points: each way by which labelled rows get into the product, as far as values are read.

An entry point returns its examples, ``(text, second text, label)`` each, or the sentence of its error.

    pipeline(path, Columns(), "text-classification")        # [("late again", None, "delivery"), ...]
"""

import re
from pathlib import Path

from pydantic import ValidationError

from metamapping.adaptation.inputs.inputs import read_examples
from metamapping.cli.reading import Reading
from metamapping.config.labels import label_text
from metamapping.config.sources import Columns, Source
from metamapping.corpus.records import read_records
from metamapping.corpus.source_checks import check_source
from metamapping.corpus.values import encodable

NAME = "input"


# Errors of the pipeline about all rows; the other entry points name the first of them.
SUMMARIES = (
    "none of its first",
    "none of the first",
    "is empty or missing in all",
    "has no single label in any",
)


class Fault(str):
    """The reason why the pipeline rejects a row."""


def pipeline(path, columns, task_type, **settings):
    """The records of a source; a row that is rejected has a ``Fault`` in the place of its label."""
    try:
        source = Source(
            name=NAME, task_type=task_type, role="train", files=[str(path)], columns=columns, **settings
        )
        check_source(source)
        rows = [row for batch in read_records(source) for row in batch.to_pylist()]
    except ValueError as error:
        return sentence(error)
    text, label = ("words", "tags") if task_type == "ner" else ("text", "label")
    return [(row[text], row["text_pair"], fault_of(row, text, label) or row[label]) for row in rows]


def fault_of(row, text, label):
    """Why the pipeline rejects a row for what was read, before any filter."""
    if row["fault"] is not None:
        return Fault(row["fault"])
    if row[text] is None:
        return Fault("missing_text")
    if row[label] is None:
        return Fault("missing_label")
    if text == "words" and len(row["words"]) != len(row["tags"]):
        return Fault("words_and_tags_differ")
    return None


def command_line(path, columns, task_type, *, header=True, **settings):
    """What `adapt` and `evaluate` read."""
    text, label, text_pair = (None if each is None else str(each) for each in columns_of(columns))
    if header and task_type != "ner" and Path(path).suffix != ".conll":
        # Commands find columns of other names where there is one choice; here all have the same ones.
        text, label = text or "text", label or "label"
    reading = Reading(no_header=not header, text=text, label=label, text_pair=text_pair, **settings)
    try:
        records, rows = reading.rows(str(path))
        fields = reading.fields(task_type, records)
        texts, labels, pairs = fields.texts(rows), fields.labels(rows), fields.text_pairs(rows)
        if task_type == "ner" and isinstance(texts[0], str):
            texts, labels, _ = read_examples(texts, labels, task_type=task_type)
    except (ValueError, FileNotFoundError) as error:
        return sentence(error)
    return together(texts, labels, pairs)


def python(path, columns, task_type):
    """What ``MetaMapper.adapt`` reads from a path."""
    try:
        examples = read_examples(Path(path), task_type=task_type, columns=columns)
    except ValueError as error:
        return sentence(error)
    return together(examples.texts, examples.labels, examples.text_pairs)


def columns_in_python(rows, task_type):
    """What ``MetaMapper.adapt`` and ``Mapping.add`` read from lists."""
    text, label = ("words", "tags") if task_type == "ner" else ("text", "label")
    pairs = [row["text_pair"] for row in rows] if rows and "text_pair" in rows[0] else None
    texts, labels = ([row.get(name) for row in rows] for name in (text, label))
    try:
        examples = read_examples(texts, labels, text_pairs=pairs, task_type=task_type)
    except ValueError as error:
        return sentence(error)
    return together(examples.texts, examples.labels, examples.text_pairs)


def http(rows, task_type):
    """What the server reads from a request."""
    from metamapping.serving.conversions import example_columns, pairs_of
    from metamapping.serving.messages import NewTask

    text, label = ("words", "tags") if task_type == "ner" else ("text", "label")
    renamed = [
        {("text" if k == text else "label" if k == label else k): v for k, v in r.items()} for r in rows
    ]
    try:
        task = NewTask.model_validate({"examples": renamed, "task_type": task_type})
        texts, labels, _ = example_columns(task.examples, task_type)
        examples = read_examples(texts, labels, text_pairs=pairs_of(task.examples), task_type=task_type)
    except ValidationError as error:
        return f"invalid request: {error.errors()[0]['msg']}"
    except ValueError as error:
        return sentence(error)
    return together(examples.texts, examples.labels, examples.text_pairs)


def columns_of(columns):
    return columns.text, columns.label, columns.text_pair


def together(texts, labels, pairs):
    """Examples as tuples; with surrogates joined, as ``adapt`` does with what a command has read."""
    pairs = pairs or [None] * len(texts)
    return [tuple(map(clean, example)) for example in zip(texts, pairs, labels, strict=True)]


def clean(value):
    if isinstance(value, list):
        return list(map(clean, value))
    return encodable(value) if isinstance(value, str) else value


def sentence(error):
    """The sentence of an error, without the name that the pipeline puts before it."""
    return str(error).removeprefix(f"source {NAME!r}: ")


def check_entry_points(path, columns=None, task_type="text-classification", **settings):
    """Compare the pipeline, the command line and, without settings, Python; return what they read."""
    columns = columns or Columns()
    prepared = pipeline(path, columns, task_type, **settings)
    read = command_line(path, columns, task_type, **settings)
    if not settings:
        assert python(path, columns, task_type) == read
    if isinstance(read, list):
        assert [(text, pair, texts_of(label)) for text, pair, label in read] == prepared
    elif isinstance(prepared, str):
        assert prepared == read or any(words in prepared for words in SUMMARIES)
    else:
        faulty = next(i for i, (*_, label) in enumerate(prepared, 1) if isinstance(label, Fault))
        assert re.search(
            rf"\brow {faulty}\b|\bline {faulty}\b|\bline {faulty + 1}\b|: the sentence in line", read
        )
    return read


def texts_of(label):
    """A label as the pipeline keeps it: all are texts there."""
    return label if isinstance(label, list) else label_text(label)
