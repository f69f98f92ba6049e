"""`metamapping predict`: add the predictions of a saved task to the rows of a file."""

from __future__ import annotations

from typing import Annotated

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
    TagColumn,
    Task,
    TextColumn,
    ThresholdOption,
)


def predict(
    task: Task,
    input: Annotated[str, typer.Argument(help="Rows with texts: a file, or - for standard input.")] = "-",
    out: Annotated[str, typer.Option("--out", help="Output: a file, or - for standard output.")] = "-",
    proba: Annotated[
        bool,
        typer.Option("--proba", help="Add `probability`, `confidence`, and `probabilities` of all labels."),
    ] = False,
    threshold: ThresholdOption = None,
    text: TextColumn = None,
    text_pair: PairColumn = None,
    model: ModelOption = None,
    backend: BackendOption = "auto",
    format: FormatOption = None,
    label: TagColumn = None,
    delimiter: DelimiterOption = None,
    no_header: NoHeaderOption = False,
    sheet: SheetOption = None,
    encoding: EncodingOption = "utf-8",
    stream: Annotated[
        bool,
        typer.Option("--stream", help="Answer each line of standard input at once; for JSONL."),
    ] = False,
) -> None:
    """Predict the label of each row, and add it as the column `prediction`.

    Rows keep all their columns; from Parquet to Parquet they stay as they are, to the bit. For ner the
    prediction is a list of spans for a text, with start, end, label, text and probability, and a list of BIO
    tags for a list of words; in CoNLL files it is the last column, and comments are kept. An empty text gets
    no label.

    `metamapping predict my-tasks/orders new.csv --out labelled.csv --proba`

    `cat new.jsonl | metamapping predict my-tasks/orders > labelled.jsonl`

    `tail -f messages.jsonl | metamapping predict my-tasks/orders --stream`
    """
    from metamapping.cli.labelling import Labelling, load_task, print_long_texts
    from metamapping.cli.parquet import with_predictions
    from metamapping.cli.progress import count_progress
    from metamapping.cli.reading import Reading
    from metamapping.cli.records import ROWS_PER_PART, format_of, read_table
    from metamapping.cli.writing import write_records, write_table

    format_out = format_of(out, format)
    if format_out == "xlsx":
        raise ValueError("predictions are not written as .xlsx: give --out a .csv or .jsonl file")
    if stream and (input, out, format_of(input, format)) != ("-", "-", "jsonl"):
        raise ValueError("--stream answers lines of JSONL: leave out INPUT, --out and --format")
    reading = Reading(encoding, delimiter, no_header, sheet, text, label, text_pair)
    with reading.open(input, format) as records, count_progress("texts") as advance:
        mapping = load_task(task, model, backend)
        if format_out == "conll" and (mapping.task_type != "ner" or proba):
            raise ValueError("CoNLL contains only words and tags: give --out a .jsonl or .csv file")
        fields = reading.fields(mapping.task_type, records)
        labelling = Labelling(mapping, fields, threshold=threshold, probabilities=proba)
        if records.parquet is not None and format_out == "parquet":
            write_table(with_predictions(read_table(records), labelling, on_progress=advance), out)
            print_long_texts(mapping)
            return
        write_records(
            labelling.rows(records.rows, on_progress=advance, rows_per_part=1 if stream else ROWS_PER_PART),
            out,
            format_out,
            columns=(*records.columns, *labelling.columns) if records.columns else (),
            header=None
            if records.header is None
            else records.header and (*records.header, *labelling.columns),
            delimiter=records.delimiter,
            schema=records.schema,
            flush=stream,
        )
        print_long_texts(mapping)
