"""`metamapping suggest`: choose the rows that are worth labelling next."""

from __future__ import annotations

import json
from collections.abc import Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from metamapping.cli.options import (
    BackendOption,
    DelimiterOption,
    EncodingOption,
    FormatOption,
    ModelOption,
    NoHeaderOption,
    PairColumn,
    SheetOption,
    Task,
    TextColumn,
)

if TYPE_CHECKING:  # these modules import TensorFlow
    from metamapping.adaptation.suggestion import Suggestion
    from metamapping.cli.rows import Row

_DIGITS = 4
_NEW_COLUMNS = ("prediction", "probability", "gain")


class Tool(StrEnum):
    """Labelling tools whose import format can be written."""

    LABEL_STUDIO = "label-studio"
    ARGILLA = "argilla"


def suggest(
    task: Task,
    pool: Annotated[str, typer.Argument(help="Rows without labels: a file, or - for standard input.")],
    num: Annotated[int, typer.Option("--num", min=1, help="How many rows to choose.")] = 20,
    out: Annotated[str, typer.Option("--out", help="Output: a file, or - for standard output.")] = "-",
    tool: Annotated[
        Tool | None, typer.Option("--for", help="Write the JSON that this labelling tool imports.")
    ] = None,
    text: TextColumn = None,
    text_pair: PairColumn = None,
    model: ModelOption = None,
    backend: BackendOption = "auto",
    format: FormatOption = None,
    delimiter: DelimiterOption = None,
    no_header: NoHeaderOption = False,
    sheet: SheetOption = None,
    encoding: EncodingOption = "utf-8",
) -> None:
    """Choose the rows of a pool that are worth labelling next.

    Rows keep all their columns, and get `row`, their number in the pool, `prediction`, `probability` and
    `gain`. Without examples the rows are typical of the pool and unlike one another; with examples they are
    also those whose label is undecided. For ner, rows are sentences, as strings or as lists of words.

    `metamapping suggest my-tasks/orders pool.jsonl --num 20 --out to-label.jsonl`

    `metamapping suggest my-tasks/orders pool.csv --for label-studio --out to-label.json`
    """
    from metamapping.cli.labelling import load_task
    from metamapping.cli.progress import print_note
    from metamapping.cli.reading import Reading
    from metamapping.cli.records import format_of
    from metamapping.cli.rows import check_columns_are_new, columns_of
    from metamapping.cli.writing import check_keeps_input, write_records, write_text

    check_keeps_input(out, pool, "--out")
    if tool is None and format_of(out, format) == "conll":
        raise ValueError("CoNLL contains only words and tags: give --out a .jsonl or .csv file")
    reading = Reading(encoding, delimiter, no_header, sheet, text, None, text_pair)
    records, rows = reading.rows(pool, format)
    if tool is None:
        check_columns_are_new(rows, _NEW_COLUMNS)
    mapping = load_task(task, model, backend)
    if mapping.task_type == "ner" and tool is Tool.ARGILLA:
        raise ValueError("spans of Argilla cannot be read back: for ner give --for label-studio")
    fields = reading.fields(mapping.task_type, records, rows)
    suggestions = mapping.suggest(fields.texts(rows), num, text_pairs=fields.text_pairs(rows))
    if len(suggestions) < min(num, len(rows)):
        print_note(
            f"note: only {len(suggestions)} of {len(rows)} rows can be suggested: rows without a text, "
            "repeated ones and those that are examples of the task are left out"
        )
    if tool is None:
        chosen = _rows(rows, suggestions)
        write_records(chosen, out, format_of(out, format), columns=columns_of(chosen))
        return
    write = _label_studio if tool is Tool.LABEL_STUDIO else _argilla
    write_text(json.dumps(write(suggestions), ensure_ascii=False, indent=1) + "\n", out)


def _rows(rows: Sequence[Row], suggestions: Sequence[Suggestion]) -> list[Row]:
    from metamapping.cli.rows import numbered

    return [
        {
            **numbered(rows[each.index], each.index + 1),
            "prediction": _prediction(each),
            "probability": round(each.probability, _DIGITS),
            "gain": round(each.gain, _DIGITS),
        }
        for each in suggestions
    ]


def _prediction(each: Suggestion) -> Any:
    """A label, a list of labels or spans, which are JSON in CSV, or the tags of words."""
    from metamapping.cli.labelling import entity_spans
    from metamapping.cli.rows import SpanList

    if not isinstance(each.label, list):
        return each.label
    if not isinstance(each.text, str):
        return each.label  # tags
    is_labels = not each.label or not isinstance(each.label[0], tuple)
    return SpanList(each.label) if is_labels else entity_spans(each.label)


def _label_studio(suggestions: Sequence[Suggestion]) -> list[dict[str, Any]]:
    """Tasks with predictions, for a labelling interface with `<Choices name="label" toName="text">`.

    For ner the interface has `<Labels name="label" toName="text">`.
    """
    return [
        {
            "data": {**_texts(each), "row": each.index + 1},
            "predictions": [
                {
                    "model_version": "metamapping",
                    "score": round(each.probability, _DIGITS),
                    "result": [
                        {"from_name": "label", "to_name": "text", "type": kind, "value": value}
                        for kind, value in _results(each)
                    ],
                }
            ],
        }
        for each in suggestions
    ]


def _results(each: Suggestion) -> list[tuple[str, dict[str, Any]]]:
    """The predictions about a text: its type and its value in the words of Label Studio."""
    from metamapping.adaptation.entity_scores import entity_spans

    if not isinstance(each.label, list):
        return [("choices", {"choices": [str(each.label)]})]
    if not isinstance(each.text, str):
        lengths = [len(word) + 1 for word in each.text]  # with a space after each word
        starts = [sum(lengths[:i]) for i in range(len(lengths) + 1)]
        found = [
            (starts[first], starts[after] - 1, kind) for _, first, after, kind in entity_spans(0, each.label)
        ]
    elif each.label and isinstance(each.label[0], tuple):
        found = [(entity.start, entity.end, entity.label) for entity in each.label]
    else:
        return [("choices", {"choices": list(map(str, each.label))})] if each.label else []
    return [
        ("labels", {"start": start, "end": end, "labels": [label]}) for start, end, label in sorted(found)
    ]


def _argilla(suggestions: Sequence[Suggestion]) -> list[dict[str, Any]]:
    """Records for ``dataset.records.from_json``, with the field `text` and the question `label`."""
    return [
        {
            "id": str(each.index + 1),
            "fields": _texts(each),
            "metadata": {},
            "suggestions": {
                "label": {
                    "value": list(map(str, each.label)) if isinstance(each.label, list) else str(each.label),
                    "score": round(each.probability, _DIGITS),
                    "agent": "metamapping",
                }
            },
            "responses": {},
            "vectors": {},
        }
        for each in suggestions
    ]


def _texts(suggestion: Suggestion) -> dict[str, str]:
    pair = {} if suggestion.text_pair is None else {"text_pair": suggestion.text_pair}
    text = suggestion.text if isinstance(suggestion.text, str) else " ".join(suggestion.text)
    return {"text": text, **pair}
