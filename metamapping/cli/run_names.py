"""Runs by the names that people give them: an id, the beginning of one, an alias, a folder, or an address.

find_run("demo", home=".metamapping")            # the only run whose id begins with demo
find_run("production", home=".metamapping")      # the run in production
"""

from __future__ import annotations

from pathlib import Path

from metamapping.errors import ConfigError, listed
from metamapping.runs.folder import RUN_FILE, RunFolder
from metamapping.runs.registry import ALIASES, Registry
from metamapping.storage.remote import list_folders, local_folder


def runs_in(home: str) -> list[RunFolder]:
    """The runs of a home, sorted by their ids.

    Args:
        home: A folder of this machine, or an address such as ``s3://bucket/home``.

    Raises:
        ConfigError: It is not a folder, or a malformed address.
        StoreError: The address cannot be read.
    """
    if "://" not in home:
        if not Path(home).expanduser().is_dir():
            raise ConfigError(f"there is no folder {home}: give the `home` of the configuration")
        home = str(Path(home).expanduser())
    folder = local_folder(home)
    return [RunFolder.at(path) for path in list_folders(folder / "runs", RUN_FILE)]


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
    if "/" in name:
        raise ConfigError(f"there is no folder {name}: give that of a run, or the id of one in {home}")
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
