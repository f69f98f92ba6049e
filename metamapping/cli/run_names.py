"""Runs by the names that people give them: an id, the beginning of one, an alias, a folder, or an address.

find_run("demo", home=".metamapping")            # the only run whose id begins with demo
find_run("production", home=".metamapping")      # the run in production
"""

from __future__ import annotations

from pathlib import Path

from metamapping.errors import ConfigError, listed
from metamapping.runs.folder import RunFolder
from metamapping.runs.registry import ALIASES, Registry


def runs_in(home: str) -> list[RunFolder]:
    """The runs of a home, sorted by their ids.

    Args:
        home: A folder of this machine.

    Raises:
        ConfigError: The home is an address, whose runs cannot be listed, or is not a folder.
    """
    if "://" in home:
        raise ConfigError(
            f"home {home!r} is an address, whose runs are not listed: give the address of a run, such as "
            f"`metamapping report {home.rstrip('/')}/runs/ID`"
        )
    folder = Path(home).expanduser()
    if not folder.is_dir():
        raise ConfigError(f"there is no folder {home}: give the `home` of the configuration")
    return [RunFolder.at(file.parent) for file in sorted((folder / "runs").glob("*/run.json"))]


def find_run(name: str, *, home: str) -> RunFolder:
    """The run that a name stands for.

    Args:
        name: `production` or `candidate`; an id or the beginning of one; a run's folder or published folder;
            or the address of one.
        home: The home in which ids are looked up.

    Raises:
        ConfigError: No run, or more than one, has this name.
    """
    if "://" in name or Path(name).is_dir():
        run = RunFolder.at(name)
        if not run.is_open and Path(name.rstrip("/")).name == "published":
            run = RunFolder.of_published(name)
        if not run.is_open:
            raise ConfigError(f"{name} is not the folder of a run: it has no run.json")
        return run
    if name in ALIASES:
        return _aliased(name, home)
    if "://" in home:
        return _whole_id(name, home)
    runs = {run.run_id: run for run in runs_in(home)}
    if name in runs:
        return runs[name]
    found = [run_id for run_id in runs if run_id.startswith(name)]
    if len(found) != 1:
        what = "no run" if not found else f"{len(found)} runs ({listed(found)})"
        known = "" if found else f"; there are {listed(runs) or 'none'}"
        raise ConfigError(f"{what} of {home} begins with {name!r}{known}: give the id of one, or its --home")
    return runs[found[0]]


def _aliased(alias: str, home: str) -> RunFolder:
    run_id = Registry(home).aliases.get(alias)
    if run_id is None:
        raise ConfigError(
            f"no run of {home} is the {alias}: `metamapping promote RUN` puts one into production"
            if alias == "production"
            else f"no run of {home} is the {alias}: a run with `promotion` becomes it when it publishes"
        )
    return RunFolder(home, run_id)


def _whole_id(run_id: str, home: str) -> RunFolder:
    """A run of a home at an address, whose runs are not listed."""
    run = RunFolder(home, run_id)
    if not run.is_open:
        raise ConfigError(
            f"there is no run {run_id!r} in {home}: give its whole id, as its own page names it"
        )
    return run
