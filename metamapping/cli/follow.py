"""`metamapping follow`: a worker of a multi-worker run. TensorFlow is imported when a round starts."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer


def follow(
    config: Annotated[Path, typer.Argument(help="The configuration that the chief worker runs.")],
    run: Annotated[str | None, typer.Option(help="ID of the run; default: wait for it in `home`.")] = None,
    home: Annotated[str | None, typer.Option(help="The `--home` of the chief worker, if it has one.")] = None,
) -> None:
    """Take part in the training of a run with `training.devices: multi-worker`, until its verdict is final.

    `TF_CONFIG=… metamapping follow configs/large.yaml`
    """
    from metamapping.config.loading import read_config
    from metamapping.runs.folder import RunFolder
    from metamapping.runs.multi_worker import await_run, worker_index
    from metamapping.runs.multi_worker import follow as follow_run

    worker_index()
    settings = read_config(config)
    if home is not None:
        settings = settings.at_home(home)
    found = await_run(settings) if run is None else RunFolder(settings.home, run)
    follow_run(found, on_round=lambda sentence: print(sentence, file=sys.stderr, flush=True))
