"""Tracking: keep what an MLflow server shows of a run and of the registry up to date.

The folder of the run and the registry of its home are what counts; the server has a copy. So a server that
cannot be reached costs a run a warning and a few seconds, and whatever it has missed is sent the next time.
Where no server is configured, MLflow is not even imported.

    for sentence in check_tracking(config):      # before anything runs
        print("warning:", sentence)
    track_run(run)                               # after each change of the run
    TrackedRegistry(home).promote(…)             # the aliases on the server follow
"""

from __future__ import annotations

import functools
import importlib.util
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from metamapping.config.schema import RunConfig
from metamapping.config.tracking import check_server
from metamapping.errors import ConfigError, StoreError
from metamapping.runs.folder import RunFolder
from metamapping.runs.registry import Entry, Registry

VARIABLE = "MLFLOW_TRACKING_URI"
_INSTALL = "pip install 'metamapping[mlflow]'"

_log = logging.getLogger(__name__)


class Target(NamedTuple):
    """Where a run is shown.

    Attributes:
        uri: Address of the MLflow server.
        experiment: Name of the experiment.
        model: Name of the registered model.
    """

    uri: str
    experiment: str
    model: str


def target_of(config: RunConfig) -> Target | None:
    """Return where a run is shown; ``None`` if no server is configured.

    Args:
        config: The configuration of the run.

    Raises:
        ConfigError: The address in the environment variable is not valid.
    """
    spec = config.tracking
    uri = spec.uri
    if uri is None and (found := os.environ.get(VARIABLE)):
        try:
            uri = check_server(found)
        except ValueError as error:
            raise ConfigError(f"{VARIABLE}: {error}") from error
    if uri is None:
        return None
    return Target(uri, spec.experiment or config.name, spec.model or config.name)


def check_tracking(config: RunConfig) -> list[str]:
    """Check, before anything runs, that a run can be shown on the server that is configured.

    Args:
        config: The configuration of the run.

    Returns:
        A sentence if the server cannot be reached, or if the address is only in the environment, where other
        programs may need it, and MLflow is not installed. The run can start all the same.

    Raises:
        ConfigError: The configuration names a server, but MLflow is not installed; or the address in the
            environment is not valid.
    """
    require_tracking(config)
    target = target_of(config)
    if target is None:
        return []
    if not _is_installed():
        return [f"{VARIABLE} is set, but MLflow is not installed, so nothing is sent there: {_INSTALL}"]
    return [sentence for sentence in [_attempt(target, lambda server: None)] if sentence]


def require_tracking(config: RunConfig) -> None:
    """Check, without asking the server, that what the configuration says about tracking can be done.

    Args:
        config: The configuration of the run.

    Raises:
        ConfigError: The configuration names a server, but MLflow is not installed; or the address in the
            environment is not valid.
    """
    if target_of(config) is not None and config.tracking.uri is not None and not _is_installed():
        raise ConfigError(
            f"tracking.uri needs the extra `mlflow`, which is not installed: {_INSTALL}, or drop the setting"
        )


def track_run(run: RunFolder) -> str | None:
    """Send what the MLflow server does not have yet of a run; does nothing if no server is configured.

    Args:
        run: An opened run.

    Returns:
        What went wrong, which is logged as a warning as well; ``None`` if nothing did.
    """
    target = target_of(run.config)
    if target is None or not _is_installed():
        return None
    return _warn(_attempt(target, lambda server: server.send(run)))


def track_aliases(home: str | Path) -> str | None:
    """Let the aliases on the MLflow server point where those of the registry do.

    Args:
        home: Folder or address of the store and the runs.

    Returns:
        What went wrong, which is logged as a warning as well; ``None`` if nothing did.
    """
    registry = Registry(home)
    history = registry.history()
    runs = {name for entry in history[-1:] for name in [entry.run, entry.candidate, *entry.former] if name}
    runs |= {entry.run for entry in history[-2:]}
    targets: dict[Target, list[RunFolder]] = {}
    for run in (RunFolder(home, name) for name in sorted(runs)):
        if (target := _target_of_run(run)) is not None:
            targets.setdefault(target, []).append(run)
    if not targets or not _is_installed():
        return None
    problem = None
    for target, members in targets.items():
        wanted = {
            alias: run for alias, name in registry.aliases.items() for run in members if run.run_id == name
        }
        problem = _warn(_attempt(target, functools.partial(_point_aliases, wanted))) or problem
    return problem


def _point_aliases(wanted: dict[str, RunFolder], server: Any) -> None:
    server.set_aliases(wanted)


class TrackedRegistry(Registry):
    """A registry whose changes the MLflow servers of its runs follow."""

    def _append(self, *args: Any, **kwargs: Any) -> Entry:
        entry = super()._append(*args, **kwargs)
        track_aliases(self.home)
        return entry


def _is_installed() -> bool:
    return importlib.util.find_spec("mlflow") is not None


def _target_of_run(run: RunFolder) -> Target | None:
    try:
        return target_of(run.config)
    except (ConfigError, StoreError):  # a run that was removed since, which production does not need
        return None


def _attempt(target: Target, work: Callable[[Any], None]) -> str | None:
    """Do something with a server; the result is a sentence about what went wrong, if anything did."""
    # Imported here: it takes seconds, and is there only with the extra `mlflow`.
    from metamapping.runs.mlflow_server import MlflowServer, ServerError

    try:
        work(MlflowServer(target.uri, target.experiment, target.model))
    except ServerError as error:
        return (
            f"the MLflow server at {target.uri} has not got everything: {error}. The run itself is not "
            "affected; what is missing is sent the next time, or by `metamapping track RUN`"
        )
    return None


def _warn(sentence: str | None) -> str | None:
    if sentence is not None:
        _log.warning("%s", sentence)
    return sentence
