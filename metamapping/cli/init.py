"""`metamapping init`: look at files with labelled texts, and write a configuration for them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from metamapping.cli.options import FormatOption, LabelColumn, PairColumn, TextColumn
from metamapping.config.sources import TaskType


def init(
    files: Annotated[list[str], typer.Argument(metavar="FILE…", help="Files with labelled texts.")],
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="The configuration to write.")] = Path(
        "metamapping.yaml"
    ),
    name: Annotated[
        str | None, typer.Option(help="Name of the run. Default: that of the folder of the configuration.")
    ] = None,
    encoder: Annotated[
        str,
        typer.Option(
            help="Encoder to start from: a Hugging Face folder or address, or `scratch` for a small one with "
            "random weights. Without network give a folder."
        ),
    ] = "hf://sentence-transformers/all-MiniLM-L6-v2",
    task_type: Annotated[
        TaskType | None, typer.Option("--task-type", help="Type of all tasks. Default: it is guessed.")
    ] = None,
    text: TextColumn = None,
    label: LabelColumn = None,
    text_pair: PairColumn = None,
    format: FormatOption = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a configuration that exists.")] = False,
) -> None:
    """Look at files with labelled texts, and write a configuration for `metamapping train`.

    Columns, task types and roles are guessed from the names and the first rows, and written with comments
    into a YAML file, to be looked at and corrected. Give three files or more, of different tasks: some are
    trained on, the others are held out. The labels of one or two files are divided.

    `metamapping init reviews/*.csv intents/*.jsonl`
    """
    from metamapping.cli.draft import draft_config
    from metamapping.cli.guess import Given
    from metamapping.cli.guessing import guess_file
    from metamapping.cli.progress import print_note
    from metamapping.cli.roles import assign_roles

    if out.exists() and not force:
        raise ValueError(f"{out} exists already: give --force to replace it, or another name with --out")
    given = Given(task_type=task_type, text=text, text_pair=text_pair, label=label, format=format)
    if len(set(files)) < len(files):
        raise ValueError("a file is named twice: name each once")
    guesses = [guess_file(file, given) for file in files]
    roles = assign_roles(guesses)
    preset = encoder
    if "://" not in encoder and Path(encoder).expanduser().is_dir():
        preset = str(Path(encoder).expanduser().absolute())
    folder = out.absolute().parent
    draft = draft_config(
        name or re.sub(r"[^A-Za-z0-9._+-]+", "-", folder.name).strip("-._+") or "run",
        guesses,
        roles,
        encoder=preset,
        folder=folder,
    )
    _check(draft, folder)
    out.write_text(draft, encoding="utf-8")
    for guess, of_file in zip(guesses, roles, strict=True):
        role = of_file.role or "labels divided: " + ", ".join(of_file.label_roles or {})
        pair = "" if guess.text_pair is None else f" with {guess.text_pair}"
        print_note(
            f"{guess.path}: {role}; {guess.task_type} of {guess.text}{pair}, {len(guess.labels)} labels in "
            f"{', '.join(guess.label_columns) if guess.label is None else guess.label}"
        )
    codes = [guess.path for guess in guesses if guess.has_codes]
    if codes:
        print_note(f"The labels of {', '.join(codes)} are codes: say what they mean with `label_names`.")
    if (problem := _hub_problem(encoder)) is not None:
        print_note(
            f"note: {problem}. Without network, start from a folder: metamapping init … --force --encoder "
            "FOLDER, with a Hugging Face model, or with --encoder scratch"
        )
    print_note(f"Wrote {out}. Look at it, then: metamapping check {out}")


def _hub_problem(encoder: str) -> str | None:
    """Why an encoder of the hub cannot be used here, if it is neither in the cache nor to be reached."""
    from metamapping.errors import ConfigError
    from metamapping.storage.hub_access import check_hub

    if not encoder.startswith("hf://"):
        return None
    try:
        check_hub({f"the encoder {encoder}": f"models/{encoder.removeprefix('hf://')}"})
    except ConfigError as error:
        return str(error)
    return None


def _check(draft: str, folder: Path) -> None:
    """Check that the draft is a valid configuration, before it is written."""
    import yaml

    from metamapping.config.loading import parse_config

    parse_config(yaml.safe_load(draft), folder=folder)
