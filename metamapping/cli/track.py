"""`metamapping track`: send to an MLflow server what it has not got of a run."""

from __future__ import annotations

from typing import Annotated

import typer

from metamapping.cli.promote import HomeOption


def track(
    run: Annotated[str, typer.Argument(metavar="RUN", help="ID of a run, `production` or `candidate`.")],
    home: HomeOption = ".metamapping",
) -> None:
    """Send to an MLflow server what it has not got of a run, and let its aliases follow the registry.

    Runs with `tracking` in their configuration do it themselves; this is for older ones, and for what a
    server has missed while it was down. The server is that of the run's configuration or of the environment
    variable MLFLOW_TRACKING_URI.

    `MLFLOW_TRACKING_URI=http://127.0.0.1:5000 metamapping track production`
    """
    from metamapping.cli.run_names import find_run
    from metamapping.runs.tracking import VARIABLE, check_tracking, target_of, track_aliases, track_run

    found = find_run(run, home=home)
    target = target_of(found.config)
    if target is None:
        raise ValueError(
            f"there is no MLflow server to send {found.run_id} to: set {VARIABLE}, or `tracking.uri` in its "
            "configuration"
        )
    problem = next(iter(check_tracking(found.config)), None) or track_run(found) or track_aliases(home)
    if problem is not None:
        raise ValueError(problem)
    print(f"{target.uri} has {found.run_id}, in the experiment {target.experiment!r}.")
