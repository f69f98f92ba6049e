"""`metamapping export`: write a saved task as one ONNX file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from metamapping.cli.options import ModelOption, Task


def export(
    task: Task,
    out: Annotated[Path, typer.Argument(help="The file to write, ending in .onnx.")],
    model: ModelOption = None,
) -> None:
    """Write a saved task as one ONNX file, from token ids to probabilities, with its tokenizer next to it.

    Programs in any language run it with onnxruntime and tokenizers alone. Tasks of named entities cannot be
    exported.

    `metamapping export tasks/orders orders/model.onnx`
    """
    from metamapping.cli.labelling import load_task
    from metamapping.cli.progress import print_note

    mapping = load_task(task, model)
    path = mapping.export(out)
    if mapping.out_of_scope is not None:
        print_note(
            f"note: the file computes the probabilities of the {len(mapping.labels)} labels alone, and never "
            f"answers {mapping.out_of_scope!r}: predict, serve and Mapping.predict do"
        )
    print_note(f"{len(mapping.labels)} labels: {path}, and its tokenizer.json")
