"""`metamapping drift`: test whether the texts that a task is used on have changed."""

from __future__ import annotations

from typing import Annotated

import typer

from metamapping.cli.options import (
    BackendOption,
    DelimiterOption,
    EncodingOption,
    FormatOption,
    JsonOption,
    ModelOption,
    NoHeaderOption,
    PairColumn,
    SheetOption,
    Task,
    TextColumn,
)


def drift(
    task: Task,
    log: Annotated[
        str, typer.Argument(help="The log of `serve --log`, or any file of new texts; - for standard input.")
    ],
    before: Annotated[
        str | None,
        typer.Option(
            "--before",
            metavar="FILE",
            help="An earlier log or file to compare with. Default: the examples of the task.",
        ),
    ] = None,
    name: Annotated[
        str | None, typer.Option("--task-name", help="Name of the task in the log, if it has several.")
    ] = None,
    last: Annotated[int | None, typer.Option("--last", min=1, help="Look at the last rows only.")] = None,
    false_alarm_rate: Annotated[
        float, typer.Option("--false-alarm-rate", help="Probability of an alarm if nothing has changed.")
    ] = 0.01,
    text: TextColumn = None,
    text_pair: PairColumn = None,
    model: ModelOption = None,
    backend: BackendOption = "auto",
    format: FormatOption = None,
    delimiter: DelimiterOption = None,
    no_header: NoHeaderOption = False,
    sheet: SheetOption = None,
    encoding: EncodingOption = "utf-8",
    as_json: JsonOption = False,
) -> None:
    """Test whether texts have become unlike those that the task was made from.

    How probable the predicted labels are, and how similar the texts are to the examples, is compared with the
    examples themselves, or with an earlier log. No labels are needed. The exit code is 0 either way.

    `metamapping drift tasks/orders predictions.jsonl`

    `metamapping drift tasks/orders this-month.csv --before last-month.csv`
    """
    from dataclasses import asdict

    from metamapping.adaptation.drift import measure_drift, support_signals
    from metamapping.cli.reading import Reading
    from metamapping.cli.signal_rows import LoadedTask
    from metamapping.cli.tables import print_json, print_table

    reading = Reading(encoding, delimiter, no_header, sheet, text, None, text_pair)
    loaded = LoadedTask(task, model, backend)
    now = loaded.signals(reading, log, format, name=name, last=last)
    if before is None:
        reference = support_signals(loaded.state)
    else:
        reference = loaded.signals(reading, before, format, name=name)
    found = measure_drift(reference, now, false_alarm_rate=false_alarm_rate)
    if as_json:
        print_json({"has_drifted": found.has_drifted, "sentence": found.sentence, **asdict(found)})
        return
    print(found.sentence)
    print()
    rows = [
        (
            each.name,
            f"{each.reference_mean:.3f}",
            f"{each.mean:.3f}",
            f"{each.statistic:.3f}",
            f"{each.p_value:.2g}",
        )
        for each in found.measures
    ]
    print_table(("measure", "before", "now", "distance", "p-value"), rows)
