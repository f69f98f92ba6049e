"""`metamapping explain`: which examples a prediction rests on."""

from __future__ import annotations

from typing import Annotated

import typer

from metamapping.cli.options import BackendOption, JsonOption, ModelOption, Task


def explain(
    task: Task,
    text: Annotated[str, typer.Argument(help="The text whose prediction is explained.")],
    text_pair: Annotated[
        str | None, typer.Option("--text-pair", metavar="TEXT", help="The second text, for a task of pairs.")
    ] = None,
    num_examples: Annotated[int, typer.Option("--examples", min=1, help="How many examples to show.")] = 3,
    model: ModelOption = None,
    backend: BackendOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Show the examples that are most similar to a text, and what each adds to the score of its label.

    `metamapping explain tasks/orders "it has not arrived"`
    """
    from metamapping.cli.labelling import load_task
    from metamapping.cli.tables import print_json, print_table

    mapping = load_task(task, model, backend)
    explanation = mapping.explain(text, text_pair=text_pair, num_examples=num_examples)
    if as_json:
        found = {"label": explanation.label, "score": explanation.score, "prior": explanation.prior}
        print_json({**found, "examples": [vars(each) for each in explanation]})
        return
    print(
        f"{explanation.label}: score {explanation.score:.2f}, of which {explanation.prior:.2f} by the names"
    )
    print()
    rows = []
    for each in explanation:
        example = "(saved without its text)" if each.text is None else each.text
        pair = "" if each.text_pair is None else f" / {each.text_pair}"
        rows.append((f"{each.similarity:.2f}", f"{each.weight:+.2f}", str(each.label), f"{example}{pair}"))
    print_table(("similarity", "adds", "label", "example"), rows)
