"""`metamapping train`: a whole run, from sources to a published encoder, without Prefect."""

from __future__ import annotations

import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:  # importing it takes a second
    from metamapping.config.schema import RunConfig

# fmt: off
_TRAIN_PACKAGES = (
    "datasets", "keras", "keras_hub", "matplotlib", "pandas", "rensa", "sklearn", "tensorflow",
    "transformers",
)
# fmt: on

DEFAULT_HOME = ".metamapping"
ConfigArgument = Annotated[Path, typer.Argument(metavar="CONFIG", help="The configuration: a YAML file.")]
HomeOption = Annotated[
    str | None,
    typer.Option(
        "--home", help="Folder or address of the store and the runs. Default: that of the configuration."
    ),
]


def train(
    config: Annotated[
        Path | None, typer.Argument(metavar="[CONFIG]", help="The configuration: a YAML file.")
    ] = None,
    home: HomeOption = None,
    resume: Annotated[
        str | None,
        typer.Option(
            "--resume",
            metavar="RUN",
            help="Instead of CONFIG: finish a run that was started, by its id or folder, with the settings "
            "and the rows that it has, also if an earlier release started it.",
        ),
    ] = None,
) -> None:
    """Meta-train an encoder on the sources of a configuration, and publish the best round.

    Prepares the sources, trains rounds until the metrics converge, and publishes the best encoder. The
    same command again resumes where the last one stopped, and repeats no finished work. `metamapping init`
    writes a configuration; `metamapping settings` lists what it can set.

    `metamapping train metamapping.yaml`

    `metamapping train --resume demo-1f0c3a77b2d94e61`
    """
    if (config is None) is (resume is None):
        raise ValueError("give either CONFIG, the YAML file of a run, or --resume RUN to finish one")
    check_train_extra()
    from metamapping.cli.progress import print_note
    from metamapping.cli.run_names import find_run
    from metamapping.cli.signals import exit_on_signals
    from metamapping.runs.label_spaces import check_run
    from metamapping.runs.pipeline import finish_run, run_pipeline
    from metamapping.runs.screen import Screen
    from metamapping.runs.summary import print_summary

    started = time.time()
    settings = None if config is None else read_settings(config, home)
    try:
        with exit_on_signals():
            if settings is None:
                begun = find_run(str(resume), home=home or DEFAULT_HOME)
                with Screen():
                    run = finish_run(begun)
            else:
                for sentence in check_run(settings):
                    print_note(f"warning: {sentence}")
                with Screen():
                    run = run_pipeline(settings)
    except KeyboardInterrupt:
        print_note("interrupted: finished work is kept, and the same command resumes from there")
        raise typer.Exit(128 + signal.SIGINT) from None
    print_summary(run, started=started)


def read_settings(config: Path, home: str | None) -> RunConfig:
    """Read a configuration, in another home if one is given.

    Args:
        config: Path of the file.
        home: Folder or address that replaces the configuration's.
    """
    from metamapping.config.loading import read_config

    settings = read_config(config)
    return settings if home is None else settings.at_home(home)


def check_train_extra() -> None:
    """Check that the packages of the extra `train` are installed.

    Raises:
        ValueError: One is missing; the message names the extra.
    """
    from importlib.util import find_spec

    missing = [name for name in _TRAIN_PACKAGES if find_spec(name) is None]
    if missing:
        raise ValueError(f"training needs {', '.join(missing)}: pip install 'metamapping[train]'")
