"""`metamapping adapt`: adapt to a file of examples, and save the task."""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import Annotated, Any

import typer

from metamapping.cli.options import (
    BackendOption,
    DelimiterOption,
    Encoder,
    EncodingOption,
    FormatOption,
    LabelColumn,
    LabelColumnsOption,
    LabelSeparatorOption,
    MultiLabelOption,
    NoHeaderOption,
    PairColumn,
    SheetOption,
    SkipUnlabelledOption,
    TaskTypeOption,
    TextColumn,
)
from metamapping.config.labels import label_text


def adapt(
    model: Encoder,
    examples: Annotated[str, typer.Argument(help="Examples: a file, or - for standard input.")],
    out: Annotated[Path, typer.Option("--out", help="Folder of the task; a task in it is replaced.")],
    task_type: TaskTypeOption = "text-classification",
    text: TextColumn = None,
    label: LabelColumn = None,
    text_pair: PairColumn = None,
    label_name: Annotated[
        list[str] | None,
        typer.Option("--label-name", metavar="LABEL=WORDS", help="Readable name of a label; repeatable."),
    ] = None,
    tune: Annotated[
        bool, typer.Option("--tune", help="Tune the encoder to the task, if left-out examples show a gain.")
    ] = False,
    tune_seconds: Annotated[
        float | None,
        typer.Option("--tune-seconds", metavar="SECONDS", min=0.001, help="As --tune, in about this time."),
    ] = None,
    out_of_scope: Annotated[
        str | None,
        typer.Option(
            "--out-of-scope",
            metavar="LABEL",
            help="Rows with this label belong to none of the others, and texts like them are answered so.",
        ),
    ] = None,
    ordinal: Annotated[
        str | None,
        typer.Option(
            "--ordinal", metavar="BAD,OK,GOOD", help="The labels are grades: all of them, in their order."
        ),
    ] = None,
    format: FormatOption = None,
    delimiter: DelimiterOption = None,
    no_header: NoHeaderOption = False,
    sheet: SheetOption = None,
    encoding: EncodingOption = "utf-8",
    multi_label: MultiLabelOption = False,
    label_separator: LabelSeparatorOption = None,
    label_columns: LabelColumnsOption = None,
    skip_unlabelled: SkipUnlabelledOption = False,
    backend: BackendOption = "auto",
) -> None:
    """Adapt an encoder to the examples of a task, and save the task.

    The solution is computed in closed form, without training (unless --tune is given). A few examples per
    label are enough. The encoder is a published one, or a pretrained one as it is.

    `metamapping adapt published examples.csv --out my-tasks/orders`

    `metamapping adapt published ratings.tsv --out my-tasks/ratings --text review --label stars
    --label-name 1=terrible --label-name 5=great`

    `metamapping adapt published sentences.conll --out my-tasks/places --task-type ner`

    `metamapping adapt published annotated.jsonl --out my-tasks/places --task-type ner`

    With --tune, a copy of the encoder's layers is trained on the examples first, if that helps the
    task. It takes seconds to minutes and needs the extra `train`; Ctrl-C keeps the best so far.

    `metamapping adapt published questions.csv --out my-tasks/questions --tune`
    """
    from metamapping.adaptation.grades import check_grades, read_grades
    from metamapping.cli.entity_rows import cut_words_note, type_notes
    from metamapping.cli.fields import without
    from metamapping.cli.kept_rows import labelled_texts, rows_to_learn
    from metamapping.cli.labelling import load_mapper, print_long_texts
    from metamapping.cli.progress import print_note
    from metamapping.cli.reading import Reading
    from metamapping.cli.rows import KeptRows
    from metamapping.config.labels import label_column_doubt, look_alike, unused_grades
    from metamapping.errors import listed
    from metamapping.rounds.wording import count

    label_names = _label_names(label_name or [])
    reading = Reading(encoding, delimiter, no_header, sheet, text, label, text_pair, label_columns)
    records, rows = reading.rows(examples, format)
    fields = reading.fields(task_type, records, rows, labels=True)
    fields, kept = rows_to_learn(
        fields,
        rows,
        multi_label=multi_label,
        label_separator=label_separator,
        skip_unlabelled=skip_unlabelled,
    )
    texts, labels, text_pairs = labelled_texts(fields, kept)
    if fields.is_ner and (note := cut_words_note(texts, labels, kept.numbers)):
        print_note(f"note: {note}")
        warnings.filterwarnings("ignore", message=".* inside a word, and the whole word is learned")
    empty = fields.are_empty(texts, text_pairs)
    if any(empty):
        numbers = KeptRows(kept, (i for i, is_empty in enumerate(empty) if is_empty)).numbers
        print_note(f"note: {len(numbers)} rows have no text and are left out: row {listed(numbers)}")
        kept = KeptRows(kept, (i for i, is_empty in enumerate(empty) if not is_empty))
        texts, labels = list(without(texts, empty)), list(without(labels, empty))
        text_pairs = text_pairs and list(without(text_pairs, empty))
    different = set() if fields.is_ner else set(fields.single_labels(labels))
    doubt = None if fields.is_ner else label_column_doubt(len(different), len(labels))
    if doubt is not None:
        print_note(f"note: {doubt} If not, name it with --label")
        warnings.filterwarnings("ignore", message=re.escape(doubt))

    doubts = type_notes(texts, labels) if fields.is_ner else look_alike({str(label) for label in different})
    for sentence in doubts:
        print_note(f"note: {sentence}")
        warnings.filterwarnings("ignore", message=re.escape(sentence))

    grades = None if ordinal is None else _labels_of(ordinal, labels)
    if grades and not fields.is_ner and not fields.is_multi_label:  # which have no grades
        scope = None if out_of_scope is None else label_text(out_of_scope)
        graded = {
            number: each
            for number, each in zip(kept.numbers, labels, strict=True)
            if label_text(each) != scope
        }
        check_grades(list(graded.values()), read_grades(grades), rows=list(graded))
    if grades and (unused := unused_grades(grades, fields.single_labels(labels), of="example")):
        print_note(f"note: {unused}")
        warnings.filterwarnings("ignore", message=re.escape(unused))
    mapper = load_mapper(model, backend)
    mapping = mapper.adapt(
        texts,
        labels,
        text_pairs=text_pairs,
        task_type=task_type,
        label_names=label_names,
        tune=tune if tune_seconds is None else tune_seconds,
        multi_label=fields.is_multi_label,
        out_of_scope=None if out_of_scope is None else _label_of(out_of_scope, labels),
        ordinal=grades,
    )
    print_long_texts(mapping)
    if mapping.out_of_scope is not None and not mapping.num_out_of_scope:
        print_note(f"note: no row has the label {out_of_scope!r} of --out-of-scope")
    if mapping.tuning is not None:
        print_note(f"note: {mapping.tuning}")
    folder = mapping.save(out)
    outside = f" and {mapping.num_out_of_scope} out of scope" if mapping.num_out_of_scope else ""
    # Of the labels of words one is "outside", which is no type.
    number = (
        count(len(mapping.labels) - 1, "entity type")
        if fields.is_ner
        else count(len(mapping.labels), "label")
    )
    print_note(f"{count(mapping.num_examples, 'example')} of {number}{outside}: {folder}")


def _labels_of(option: str, labels: list[Any]) -> list[Any]:
    """The labels of an option, as the labels of the file have them: `1` is a number where labels are."""
    return [_label_of(part, labels) for part in option.split(",") if part.strip()]


def _label_of(option: str, labels: list[Any]) -> Any:
    """A label of an option, as the labels of the file have it."""
    text = str(label_text(option))
    known = {label_text(label): label for label in labels if not isinstance(label, list)}
    is_number = bool(labels) and isinstance(labels[0], int | float) and not isinstance(labels[0], bool)
    return known.get(text, _number(text) if is_number else text)


def _number(text: str) -> Any:
    try:
        return float(text)
    except ValueError:
        return text


def _label_names(options: list[str]) -> dict[str, str]:
    names = {}
    for option in options:
        label, equals, words = option.partition("=")
        if not (label and equals and words):
            raise ValueError(
                f"--label-name {option!r} is not of the form LABEL=WORDS: write it like --label-name 1=great"
            )
        names[label] = words
    return names
