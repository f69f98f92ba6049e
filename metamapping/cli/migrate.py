"""`metamapping migrate`: bring a folder that an earlier release wrote into the current format."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def migrate(
    folder: Annotated[
        Path,
        typer.Argument(
            exists=True,
            file_okay=False,
            metavar="FOLDER",
            help="A published encoder, a saved task, or a run with a published encoder.",
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            file_okay=False,
            metavar="FOLDER",
            help="Where to write the new folder. Default: in place; the old folder is kept next to it, as "
            "`FOLDER-format-N`.",
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            metavar="MODEL",
            help="For a saved task: the encoder to adapt with. Default: the one that it was saved with.",
        ),
    ] = None,
) -> None:
    """Bring a published encoder or a saved task of an earlier release into the current format.

    A published encoder keeps its weights. A saved task of format 1 or 2 is adapted again from the texts that
    are stored in it. Folders that this release reads as they are remain unchanged.

    `metamapping migrate .metamapping/runs/demo-1f0c3a77b2d94e61/published`

    `metamapping migrate my-tasks/orders --model path/to/published`
    """
    from metamapping.adaptation.saved.task_folder import TASK
    from metamapping.publishing.layout import SETTINGS
    from metamapping.runs.folder import RUN_FILE

    # Of a link, the folder it leads to is migrated, so that the link and all others to it stay valid.
    folder = folder.resolve()
    if (folder / RUN_FILE).is_file():
        folder = _published_of(folder)
    if (folder / TASK).is_file():
        _migrate_task(folder, out, model)
    elif (folder / SETTINGS).is_file():
        if model is not None:
            raise ValueError("--model is for saved tasks, and this is a published encoder: leave it out")
        _migrate_published(folder, out)
    else:
        raise ValueError(
            f"{folder} is neither a published encoder ({SETTINGS}) nor a saved task ({TASK}) nor a run "
            f"({RUN_FILE}): give such a folder"
        )


def _published_of(run: Path) -> Path:
    from metamapping.publishing.layout import SETTINGS

    published = run / "published"
    if not (published / SETTINGS).is_file():
        raise ValueError(
            f"{run} is a run that has not published yet, and needs no migration: `metamapping train --resume "
            f"{run.name}` finishes it"
        )
    return published


def _migrate_published(folder: Path, out: Path | None) -> None:
    from metamapping.cli.progress import print_note
    from metamapping.publishing.layout import FORMAT_VERSION, format_version_of

    version = format_version_of(folder)
    if version == FORMAT_VERSION:
        print_note(f"{folder} has the current format {FORMAT_VERSION}: there is nothing to do")
        return
    from metamapping.models.keras_import import quiet_keras

    with quiet_keras(f"reading {folder}"):
        from metamapping.publishing.migration import migrate_published

    draft = _draft(folder, out, version)
    missing = migrate_published(folder, draft)
    place = _put_in_place(folder, draft, out, version)
    print_note(f"migrated from format {version} to {FORMAT_VERSION}")
    if missing:
        print_note(
            f"format {version} had no {', '.join(missing)}: they are as before training, so expect other "
            "scores than with the release that wrote it"
        )
    print(place)


def _migrate_task(folder: Path, out: Path | None, model: str | None) -> None:
    from metamapping.adaptation.saved.task_folder import FORMAT_VERSION, read_task, task_version
    from metamapping.cli.progress import print_note

    version = task_version(folder)
    if version not in (1, 2):
        read_task(folder)
        print_note(
            f"{folder} has format {version}, which this release reads as it is: there is nothing to do"
        )
        return
    from metamapping.adaptation.mapper import MetaMapper
    from metamapping.adaptation.saved.migration import migrated_task, read_old_task

    place = model or read_old_task(folder).model_folder
    if model is None and "://" not in place and not Path(place).is_dir():
        raise ValueError(
            f"the encoder of {folder} was in {place}, where there is none now: give one with --model"
        )
    mapping = migrated_task(folder, MetaMapper.from_pretrained(place))
    draft = _draft(folder, out, version)
    mapping.save(draft)
    print_note(
        f"adapted again to {mapping.num_examples} examples, from format {version} to {FORMAT_VERSION}: "
        "predictions may differ from those of the release that wrote it"
    )
    print(_put_in_place(folder, draft, out, version))


def _draft(folder: Path, out: Path | None, version: int | None) -> Path:
    """Where the new folder is written first."""
    from metamapping.storage.atomic_folder import remove_folder

    if out is not None:
        if out.exists():
            raise ValueError(f"{out} exists already: give another folder with --out")
        if out.resolve().is_relative_to(folder):
            raise ValueError(f"{out} is within the folder that is migrated: give another folder with --out")
        return out.absolute()
    if (kept := _kept(folder, version)).exists():
        raise ValueError(f"{kept} exists already: rename it, or give a folder with --out")
    draft = folder.with_name(f".migrated-{folder.name}")
    remove_folder(draft)  # of a migration that was killed
    return draft


def _kept(folder: Path, version: int | None) -> Path:
    return folder.with_name(f"{folder.name}-format-{version}")


def _put_in_place(folder: Path, draft: Path, out: Path | None, version: int | None) -> Path:
    """Exchange the old folder for the new one, unless another place was asked for."""
    if out is not None:
        return draft
    folder.rename(_kept(folder, version))
    draft.rename(folder)
    return folder
