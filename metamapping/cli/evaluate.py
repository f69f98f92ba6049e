"""`metamapping evaluate`: measure a saved task on labelled rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from metamapping.cli.options import (
    DelimiterOption,
    EncodingOption,
    FormatOption,
    JsonOption,
    LabelColumn,
    ModelOption,
    NoHeaderOption,
    PairColumn,
    SheetOption,
    Task,
    TextColumn,
)

if TYPE_CHECKING:  # it imports NumPy and SciPy
    from metamapping.cli.scores import Scores


def evaluate(
    task: Task,
    test: Annotated[
        str, typer.Argument(help="Rows with texts and their true labels: a file, or - for standard input.")
    ],
    text: TextColumn = None,
    label: LabelColumn = None,
    text_pair: PairColumn = None,
    model: ModelOption = None,
    format: FormatOption = None,
    delimiter: DelimiterOption = None,
    no_header: NoHeaderOption = False,
    sheet: SheetOption = None,
    encoding: EncodingOption = "utf-8",
    as_json: JsonOption = False,
) -> None:
    """Measure a saved task on labelled rows that it was not adapted to.

    The scores are accuracy and macro-F1, and for ner micro-F1 of whole entities, with 95 % bootstrap
    intervals over the rows. Of rows with spans, the spans are compared: start, end and type.

    `metamapping evaluate my-tasks/orders test.csv`

    `metamapping evaluate my-tasks/places test.conll --json`
    """
    from metamapping.cli.entity_rows import cut_words_note
    from metamapping.cli.fields import without
    from metamapping.cli.labelling import load_task, predict_texts
    from metamapping.cli.progress import print_note
    from metamapping.cli.reading import Reading
    from metamapping.cli.tables import print_json, print_table
    from metamapping.config.labels import label_text

    reading = Reading(encoding, delimiter, no_header, sheet, text, label, text_pair)
    records, rows = reading.rows(test, format)
    mapping = load_task(task, model)
    fields = reading.fields(mapping.task_type, records)
    texts, gold, text_pairs = fields.texts(rows), fields.labels(rows), fields.text_pairs(rows)
    if fields.is_ner:
        fields.check_tag_columns(rows, mapping.labels)
    rejected = fields.are_rejected(rows)
    if any(rejected):
        print_note(f"note: {sum(rejected)} rows were not accepted (`answer`) and are left out")
        texts, gold = list(without(texts, rejected)), list(without(gold, rejected))
    is_spans = fields.is_ner and bool(texts) and isinstance(texts[0], str)
    if is_spans and (note := cut_words_note(texts, gold)):
        print_note(f"note: {note.replace('and the whole word is learned', 'and cannot be found')}")
    # Labels are compared as texts: CSV has nothing else, while a task may have booleans or numbers.
    if not fields.is_ner:
        gold = [str(label_text(label)) for label in gold]
    _check_labels(gold, [str(label_text(label)) for label in mapping.labels], is_ner=fields.is_ner)
    predicted = predict_texts(mapping, fields, texts, text_pairs)
    if not fields.is_ner:
        predicted = [label_text(label) for label in predicted]

    from metamapping.cli.scores import entity_scores, span_scores, text_scores

    if is_spans:
        spans = [[(span.start, span.end, span.label) for span in row] for row in gold]
        scores = span_scores(spans, [[(e.start, e.end, e.label) for e in row] for row in predicted])
    else:
        scores = (entity_scores if fields.is_ner else text_scores)(gold, predicted)
    if as_json:
        print_json(_as_json(scores))
        return
    print_table((f"{scores.num_rows} rows", "score", "95 % interval"), _score_rows(scores))
    print()
    print_table(("label", "precision", "recall", "F1", "count"), _label_rows(scores))


def _check_labels(gold: list[Any], labels: list[str], *, is_ner: bool) -> None:
    """Report labels that the task cannot predict. Raises ``ValueError`` if it knows none of the labels."""
    from metamapping.cli.progress import print_note

    true = {_type(each) for row in gold for each in row if each != "O"} if is_ner else set(gold)
    unknown = sorted(true - set(labels))
    if true and len(unknown) == len(true):
        raise ValueError(
            f"the task knows none of the rows' labels ({', '.join(unknown[:5])}), but "
            f"{', '.join(labels[:5])}: check --label, and the spelling of the labels"
        )
    if unknown:
        print_note(f"note: the task does not know {', '.join(unknown)}: their rows count as wrong")


def _type(tag_or_span: Any) -> str:
    return tag_or_span[2:] if isinstance(tag_or_span, str) else str(tag_or_span.label)


def _score_rows(scores: Scores) -> list[tuple[str, ...]]:
    return [
        (name, f"{score.mean:.3f}", f"[{score.low:.3f}, {score.high:.3f}]")
        for name, score in scores.scores.items()
    ]


def _label_rows(scores: Scores) -> list[tuple[str, ...]]:
    return [
        (each.label, f"{each.precision:.3f}", f"{each.recall:.3f}", f"{each.f1:.3f}", str(each.count))
        for each in scores.labels
    ]


def _as_json(scores: Scores) -> dict[str, Any]:
    return {
        "rows": scores.num_rows,
        "scores": {name: score.model_dump() for name, score in scores.scores.items()},
        "labels": [vars(each) for each in scores.labels],
    }
