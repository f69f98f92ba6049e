"""`metamapping follow`: a worker of a multi-worker run. TensorFlow is imported when a round starts."""

from __future__ import annotations

import sys
import time
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
    from metamapping.runs.cluster import Cluster
    from metamapping.runs.folder import RunFolder
    from metamapping.runs.multi_worker import await_run
    from metamapping.runs.multi_worker import follow as follow_run

    Cluster.of_environment()
    settings = read_config(config)
    if home is not None:
        settings = settings.at_home(home)
    if run is None:
        _say(f"waiting until the chief has opened a run of {config} in {settings.home}")
        found = await_run(settings)
    else:
        found = RunFolder(settings.home, run)
    _say(f"following run {found.run_id}")
    follow_run(found, on_round=_say)


def _say(sentence: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {sentence}", file=sys.stderr, flush=True)
