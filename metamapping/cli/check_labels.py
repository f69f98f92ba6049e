"""`metamapping check-labels`: find the rows of a file whose label the other rows contradict."""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from metamapping.cli.options import (
    BackendOption,
    DelimiterOption,
    EncodingOption,
    FormatOption,
    LabelColumn,
    LabelColumnsOption,
    LabelSeparatorOption,
    Model,
    MultiLabelOption,
    NoHeaderOption,
    PairColumn,
    SheetOption,
    SkipUnlabelledOption,
    TaskTypeOption,
    TextColumn,
)

if TYPE_CHECKING:  # these modules import TensorFlow
    from metamapping.adaptation.label_checks.suspicious_labels import SuspiciousLabel, SuspiciousLabels
    from metamapping.cli.rows import KeptRows, Row

_MAX_SHOWN = 20  # rows in the table, if neither --num nor --out is given
_DIGITS = 4


def check_labels(
    model: Model,
    rows: Annotated[str, typer.Argument(help="Labelled rows: a file, or - for standard input.")],
    out: Annotated[
        str | None,
        typer.Option("--out", help="Write the suspicious rows to a file, or - for standard output."),
    ] = None,
    num: Annotated[
        int | None, typer.Option("--num", min=1, help="How many rows, whatever their probability.")
    ] = None,
    min_probability: Annotated[
        float, typer.Option("--min-probability", min=0, max=1, help="Lowest probability of a wrong label.")
    ] = 0.5,
    group: Annotated[
        str | None,
        typer.Option(
            "--group",
            metavar="COLUMN",
            help="Column of rows that belong together, such as a thread; they do not judge one another.",
        ),
    ] = None,
    task_type: TaskTypeOption = "text-classification",
    text: TextColumn = None,
    label: LabelColumn = None,
    text_pair: PairColumn = None,
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
    """Find rows whose label is probably wrong, judged by all other rows of the file.

    Every row is predicted by the mapping of the others, in closed form. With --out the rows are written with
    the columns `row`, its number in the file, `wrong`, the probability that the label is wrong, `suggested`,
    the label that the others suggest, and `similar`, the most similar rows. For ner each row is one place
    in a sentence, with `word`, the number of its first word from 0, `excerpt`, its words, and `given`, their
    type; where a row has any number of labels, `suggested` is the list of labels that is more probable.

    `metamapping check-labels published examples.csv`

    `metamapping check-labels published examples.csv --num 100 --out suspicious.csv`

    `metamapping check-labels published sentences.conll --task-type ner`
    """
    from metamapping.cli.kept_rows import contradictions, labelled_texts, rows_to_learn
    from metamapping.cli.labelling import load_mapper
    from metamapping.cli.progress import print_note
    from metamapping.cli.reading import Reading
    from metamapping.cli.records import format_of
    from metamapping.cli.rows import KeptRows, columns_of
    from metamapping.cli.writing import check_keeps_input, write_records
    from metamapping.config.labels import label_column_doubt

    check_keeps_input(out, rows, "--out")
    if out is not None and format_of(out, format) == "conll":
        raise ValueError("CoNLL contains only words and tags: give --out a .jsonl or .csv file")
    reading = Reading(encoding, delimiter, no_header, sheet, text, label, text_pair, label_columns)
    records, every = reading.rows(rows, format)
    fields = reading.fields(task_type, records, every, labels=True)
    fields, found = rows_to_learn(
        fields,
        every,
        multi_label=multi_label,
        label_separator=label_separator,
        skip_unlabelled=skip_unlabelled,
    )
    texts, labels, text_pairs = labelled_texts(fields, found)
    groups = None if group is None else fields.values(found, group, option="--group")
    kept = [i for i, is_empty in enumerate(fields.are_empty(texts, text_pairs)) if not is_empty]
    if len(kept) < len(found):
        print_note(f"note: {len(found) - len(kept)} rows have no text and are not checked")

    different = set() if fields.is_ner else set(fields.single_labels([labels[i] for i in kept]))
    doubt = label_column_doubt(len(different), len(kept)) if different else None
    if doubt is not None:
        print_note(f"note: {doubt} If not, name it with --label")
        warnings.filterwarnings("ignore", message=re.escape(doubt))

    checked = KeptRows(found, kept)
    texts, labels = [texts[i] for i in kept], [labels[i] for i in kept]
    text_pairs = text_pairs and [text_pairs[i] for i in kept]
    if not fields.is_ner and (note := contradictions(texts, text_pairs, labels, checked.numbers)):
        print_note(f"note: {note}")
    suspicious = load_mapper(model, backend).suspicious_labels(
        texts,
        labels,
        text_pairs=text_pairs,
        task_type=task_type,
        multi_label=fields.is_multi_label,
        num=num,
        min_probability=min_probability,
        groups=groups and [groups[i] for i in kept],
    )
    if out is not None:
        found_rows = _rows(suspicious, checked)
        write_records(found_rows, out, format_of(out, format), columns=columns_of(found_rows))
    if out != "-":
        unit = "words" if fields.is_ner else "rows"
        _print(suspicious, checked.numbers, max_shown=_MAX_SHOWN if num is None else num, unit=unit)


def _rows(suspicious: SuspiciousLabels, rows: KeptRows) -> list[Row]:
    """The suspicious rows with all their columns."""
    from metamapping.cli.error_rows import shown_label, similar_rows
    from metamapping.cli.rows import numbered

    return [
        {
            **numbered(rows[each.index], rows.numbers[each.index]),
            **({} if each.word is None else _place(each)),
            "wrong": round(each.probability, _DIGITS),
            "suggested": shown_label(each.suggested) if isinstance(each.suggested, list) else each.suggested,
            "similar": similar_rows(each.neighbours),
        }
        for each in suspicious
    ]


def _place(each: SuspiciousLabel) -> Row:
    return {"word": each.word, "excerpt": each.excerpt, "given": each.label}


def _shown(each: SuspiciousLabel) -> str:
    """The text or pair, or the words in question with the rest of their sentence."""
    from metamapping.cli.error_rows import shown_text

    if each.word is None or each.text is None:
        return shown_text(each.text, each.text_pair)
    after = each.word + (each.num_words or 1)
    parts = each.text[: each.word], ["[", each.excerpt, "]"], each.text[after:]
    return " ".join(word for part in parts for word in part)


def _print(suspicious: SuspiciousLabels, numbers: Sequence[int], *, max_shown: int, unit: str) -> None:
    from metamapping.adaptation.label_checks.suspicious_labels import label_words
    from metamapping.cli.error_rows import shown_text
    from metamapping.cli.tables import print_table
    from metamapping.rounds.wording import count

    def cells(each: SuspiciousLabel) -> tuple[str, ...]:
        near = each.neighbours[0] if each.neighbours else None
        like = "" if near is None else f"{shown_text(near.text, near.text_pair)} ({label_words(near.label)})"
        row = str(numbers[each.index])
        labels = label_words(each.label), label_words(each.suggested)
        return f"{each.probability:.2f}", row, *labels, _shown(each), like

    print(
        f"{count(len(suspicious), 'suspicious label')} in {suspicious.num_examples} {unit}; about "
        f"{100 * suspicious.noise:.1f} % of all labels are wrong"
    )
    if suspicious:
        print()
        columns = ("wrong", "row", "label", "suggested", "text", "most similar")
        print_table(columns, [cells(each) for each in suspicious[:max_shown]])
    if len(suspicious) > max_shown:
        print(f"… and {len(suspicious) - max_shown} more: give --out FILE for all")
