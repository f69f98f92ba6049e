"""`metamapping follow`: a worker of a multi-worker run. TensorFlow is imported when a round starts."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Annotated

import typer


def follow(
    config: Annotated[
        Path | None, typer.Argument(metavar="[CONFIG]", help="The configuration that the chief worker runs.")
    ] = None,
    run: Annotated[
        str | None,
        typer.Option(
            metavar="RUN",
            help="ID of the run; without CONFIG, its folder or address. Default: wait for it in `home`.",
        ),
    ] = None,
    home: Annotated[str | None, typer.Option(help="The `--home` of the chief worker, if it has one.")] = None,
) -> None:
    """Take part in the training of a run with `training.devices: multi-worker`, until its verdict is final.

    The chief runs `metamapping train` with the same configuration. With the address of a run, a machine needs
    neither the configuration nor the files of the sources.

    `TF_CONFIG=… metamapping follow configs/large.yaml`

    `TF_CONFIG=… metamapping follow --run s3://team/home/runs/large-1f0c3a77b2d94e61`
    """
    from metamapping.config.loading import read_config
    from metamapping.runs.cluster import Cluster
    from metamapping.runs.folder import RunFolder
    from metamapping.runs.multi_worker import await_run
    from metamapping.runs.multi_worker import follow as follow_run
    from metamapping.storage.remote import local_folder

    Cluster.of_environment()
    if config is None:
        if run is None or "/" not in run:
            raise ValueError("give CONFIG, the YAML file that the chief runs, or the run's folder by --run")
        found = RunFolder.at(run)
        if found.path != local_folder(run).absolute():
            raise ValueError(f"{run} is not the folder of a run: give HOME/runs/RUN by --run")
    else:
        if run is not None and "/" in run:
            raise ValueError(f"--run is {run}: with CONFIG give the ID of a run in its `home`")
        settings = read_config(config)
        settings = settings if home is None else settings.at_home(home)
        if run is None:
            _say(f"waiting until the chief has opened a run of {config} in {settings.home}")
        found = await_run(settings) if run is None else RunFolder(settings.home, run)
    _say(f"following run {found.run_id}")
    follow_run(found, on_round=_say)


def _say(sentence: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {sentence}", file=sys.stderr, flush=True)
