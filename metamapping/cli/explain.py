"""`metamapping explain`: which examples a prediction rests on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from metamapping.cli.options import BackendOption, JsonOption, ModelOption, Task

if TYPE_CHECKING:  # it imports TensorFlow
    from metamapping import Mapping


def explain(
    task: Task,
    text: Annotated[str, typer.Argument(help="The text whose prediction is explained.")],
    text_pair: Annotated[
        str | None, typer.Option("--text-pair", metavar="TEXT", help="The second text, for a task of pairs.")
    ] = None,
    num_examples: Annotated[int, typer.Option("--examples", min=1, help="How many examples to show.")] = 3,
    label: Annotated[
        str | None,
        typer.Option("--label", metavar="LABEL", help="The label to explain. Default: the predicted one."),
    ] = None,
    word: Annotated[
        int | None,
        typer.Option("--word", min=0, help="For ner: the word to explain, counted from 0."),
    ] = None,
    model: ModelOption = None,
    backend: BackendOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Show the examples that are most similar to a text, and what each adds to the score of its label.

    `metamapping explain tasks/orders "it has not arrived"`

    `metamapping explain tasks/orders "it has not arrived" --label refund`

    `metamapping explain tasks/places "Eve moved to London" --word 3`
    """
    from metamapping.adaptation.label_checks.suspicious_labels import label_words
    from metamapping.cli.error_rows import shown_text
    from metamapping.cli.labelling import load_task
    from metamapping.cli.tables import print_json, print_table

    mapping = load_task(task, model, backend)
    explanation = mapping.explain(
        text,
        text_pair=text_pair,
        num_examples=num_examples,
        word=word,
        label=None if label is None else _label_of(label, mapping),
    )
    left_out = explanation.left_out_probability
    if as_json:
        found = {"label": explanation.label, "score": explanation.score, "prior": explanation.prior}
        if left_out is not None:
            found["left_out_probability"] = left_out
        print_json({**found, "examples": [vars(each) for each in explanation]})
        return
    if left_out is not None:
        print(
            f"O is predicted, because the entity ({explanation.label}) is right with a probability of only "
            f"{left_out:.2f}"
        )
    print(
        f"{label_words(explanation.label)}: score {explanation.score:.2f}, of which "
        f"{explanation.prior:.2f} by the names"
    )
    print()
    rows = [
        (
            f"{each.similarity:.2f}",
            f"{each.weight:+.2f}",
            label_words(each.label),
            shown_text(each.text, each.text_pair),
        )
        for each in explanation
    ]
    print_table(("similarity", "adds", "label", "example"), rows)


def _label_of(text: str, mapping: Mapping) -> Any:
    """The label of the task that is written so; labels may be numbers or booleans."""
    from metamapping.config.labels import label_text

    return next((label for label in mapping.labels if label_text(label) == text), text)
