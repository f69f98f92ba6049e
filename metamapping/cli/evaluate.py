"""`metamapping evaluate`: measure a saved task on labelled rows, or on its own examples."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Annotated, Any

import typer

from metamapping.cli.options import (
    BackendOption,
    DelimiterOption,
    EncodingOption,
    FormatOption,
    JsonOption,
    LabelColumn,
    LabelColumnsOption,
    LabelSeparatorOption,
    ModelOption,
    NoHeaderOption,
    PairColumn,
    SheetOption,
    SkipUnlabelledOption,
    Task,
    TextColumn,
)

if TYPE_CHECKING:  # these modules import TensorFlow
    from metamapping import Mapping
    from metamapping.adaptation.results import Error
    from metamapping.adaptation.scores import Scores
    from metamapping.cli.fields import Fields
    from metamapping.cli.rows import KeptRows

_MAX_CONFUSIONS = 15  # in the table


def evaluate(
    task: Task,
    test: Annotated[
        str | None,
        typer.Argument(
            help="Rows with texts and their true labels: a file, or - for standard input. Default: the "
            "task's own examples, each predicted from the others."
        ),
    ] = None,
    text: TextColumn = None,
    label: LabelColumn = None,
    text_pair: PairColumn = None,
    model: ModelOption = None,
    backend: BackendOption = "auto",
    format: FormatOption = None,
    delimiter: DelimiterOption = None,
    no_header: NoHeaderOption = False,
    sheet: SheetOption = None,
    encoding: EncodingOption = "utf-8",
    errors: Annotated[
        str | None,
        typer.Option(
            "--errors",
            metavar="FILE",
            help="Write the rows that are predicted wrongly, the surest first, with the examples that each "
            "prediction rests on.",
        ),
    ] = None,
    as_json: JsonOption = False,
    label_separator: LabelSeparatorOption = None,
    label_columns: LabelColumnsOption = None,
    skip_unlabelled: SkipUnlabelledOption = False,
) -> None:
    """Measure a saved task on labelled rows that it was not adapted to, or on its own examples.

    The scores are accuracy and macro-F1, of grades (`adapt --ordinal`) also the mean absolute error (MAE) and
    the quadratic kappa; where texts have any number of labels macro-F1, micro-F1 and the share of texts
    whose labels are all right; and for ner micro-F1 of whole entities, with 95 % bootstrap intervals over
    the rows. Of rows with spans, the spans are compared: start, end and type. Without a file
    each of the task's examples is predicted from the others.

    `metamapping evaluate my-tasks/orders`

    `metamapping evaluate my-tasks/orders test.csv --errors errors.csv`

    `metamapping evaluate my-tasks/places test.conll --json`
    """
    from metamapping.cli.error_rows import error_rows, example_rows
    from metamapping.cli.kept_rows import answered, labelled
    from metamapping.cli.labelling import load_task, print_long_texts
    from metamapping.cli.progress import print_note
    from metamapping.cli.reading import Reading
    from metamapping.cli.records import format_of
    from metamapping.cli.rows import columns_of
    from metamapping.cli.writing import check_keeps_input, write_records

    check_keeps_input(errors, test, "--errors")
    if errors is not None and format_of(errors) == "conll":
        raise ValueError("CoNLL contains only words and tags: give --errors a .jsonl or .csv file")
    if test is None:
        mapping = load_task(task, model, backend)
        result = mapping.cross_validate()
        for note in result.notes:
            print_note(f"note: {note}")
        scores, wrong = result.scores, example_rows(result.errors)
    else:
        reading = Reading(encoding, delimiter, no_header, sheet, text, label, text_pair, label_columns)
        records, rows = reading.rows(test, format)
        mapping = load_task(task, model, backend)
        fields = reading.fields(mapping.task_type, records, rows, labels=True)
        kept = answered(fields, rows)
        if mapping.is_multi_label:
            fields = fields.with_label_lists(label_separator)
        elif label_separator is not None:
            raise ValueError(
                "the task has one label for each text: leave --label-separator out, or adapt with it"
            )
        if skip_unlabelled:
            kept = labelled(fields, kept)
        scores, found = _score_rows_of_file(mapping, fields, kept, num_examples=3 if errors else 0)
        wrong = error_rows(kept, found)
    print_long_texts(mapping)
    _print_scores(scores, as_json=as_json, is_left_out=test is None)
    if errors is not None:
        write_records(wrong, errors, format_of(errors), columns=columns_of(wrong))


def _score_rows_of_file(
    mapping: Mapping, fields: Fields, rows: KeptRows, *, num_examples: int
) -> tuple[Scores, list[Error]]:
    """The scores of rows, and the errors among them."""
    from metamapping.adaptation.scores import entity_scores, text_scores
    from metamapping.cli.entity_rows import cut_words_note
    from metamapping.cli.kept_rows import labelled_texts
    from metamapping.cli.progress import print_note
    from metamapping.config.labels import label_text
    from metamapping.rounds.wording import count

    texts, gold, text_pairs = labelled_texts(fields, rows)
    if num_empty := sum(fields.are_empty(texts, text_pairs)):
        print_note(
            f"note: {count(num_empty, 'row')} without a text: no label is predicted, which counts as wrong"
        )
    fields.check_tag_columns(rows, mapping.labels)
    is_spans = fields.is_ner and bool(texts) and isinstance(texts[0], str)
    if is_spans and (note := cut_words_note(texts, gold, rows.numbers)):
        print_note(f"note: {note.replace('and the whole word is learned', 'and cannot be found')}")
    # Labels are compared as texts: CSV has nothing else, while a task may have booleans or numbers.
    if fields.is_multi_label:
        gold = [[str(label_text(label)) for label in row] for row in gold]
    elif not fields.is_ner:
        gold = [str(label_text(label)) for label in gold]
    known = [str(label_text(label)) for label in mapping.labels]
    if mapping.out_of_scope is not None:
        known.append(str(label_text(mapping.out_of_scope)))
    _check_labels(gold if fields.is_ner else fields.single_labels(gold), known, is_ner=fields.is_ner)
    if fields.is_multi_label:
        from metamapping.adaptation.multi_label.multi_label_scores import label_list_scores

        wrong = mapping.errors(texts, gold, text_pairs=text_pairs, num_examples=num_examples)
        lists = list(gold)
        for error in wrong:
            lists[error.index] = error.predicted
        return label_list_scores(gold, lists), wrong
    if is_spans:
        warnings.filterwarnings("ignore", category=UserWarning)  # about the words that spans cut, as the note
        errors = mapping.errors(texts, gold, num_examples=num_examples) if num_examples else []
        return _span_scores(mapping, fields, texts, gold), errors
    errors = mapping.errors(texts, gold, text_pairs=text_pairs, num_examples=num_examples) if texts else []
    predicted = list(gold)
    for error in errors:
        predicted[error.index] = error.predicted if fields.is_ner else label_text(error.predicted)
    if fields.is_ner:
        return entity_scores(gold, predicted), errors
    order = [str(label_text(label)) for label in mapping.labels] if mapping.is_ordinal else None
    return text_scores(gold, predicted, order=order), errors


def _span_scores(mapping: Mapping, fields: Fields, texts: list[str], gold: list[Any]) -> Scores:
    """The scores of the character spans that are found in texts."""
    from metamapping.adaptation.scores import span_scores
    from metamapping.cli.labelling import predict_texts

    predicted = predict_texts(mapping, fields, texts, None)
    return span_scores(
        [[(span.start, span.end, span.label) for span in row] for row in gold],
        [[(entity.start, entity.end, entity.label) for entity in row] for row in predicted],
    )


def _print_scores(scores: Scores, *, as_json: bool, is_left_out: bool) -> None:
    from metamapping.cli.tables import print_json, print_table

    if as_json:
        print_json(_as_json(scores))
        return
    rows = f"{scores.num_rows} examples, each left out" if is_left_out else f"{scores.num_rows} rows"
    print_table((rows, "score", "95 % interval"), _score_rows(scores))
    print()
    print_table(("label", "precision", "recall", "F1", "count"), _label_rows(scores))
    if scores.confusions:
        print()
        print_table(("label", "predicted", "count"), _confusion_rows(scores))


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


def _confusion_rows(scores: Scores) -> list[tuple[str, ...]]:
    rows = [(each.gold or "–", each.predicted or "–", str(each.count)) for each in scores.confusions]
    num_more = len(rows) - _MAX_CONFUSIONS
    more = [("…", f"and {num_more} more pairs", "")] if num_more > 0 else []
    return [*rows[:_MAX_CONFUSIONS], *more]


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
        "confusions": [vars(each) for each in scores.confusions],
    }
