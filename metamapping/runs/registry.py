"""The registry of a home: which run is in production, which one is its candidate, and how that came about.

Each change is a file of its own, ``<home>/registry/00000001.json`` and so on: who changed what, when and
why, and where the aliases point afterwards. A number can be written once only, in a folder as in an object
store, so of two people who promote at the same time one is first and the other one builds on it. The newest
file holds the aliases, so that aliases and history can never contradict each other; nothing is ever
overwritten.

    registry = Registry(".metamapping")
    registry.promote("demo-1f0c3a77b2d94e61", why="better on every source", by="ann")
    registry.production                              # "demo-1f0c3a77b2d94e61"
    registry.rollback(why="complaints from the shop", by="bob")
"""

from __future__ import annotations

import getpass
import json
import socket
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from metamapping.errors import ConfigError, StoreError, one_line
from metamapping.runs.folder import RunFolder
from metamapping.storage import remote
from metamapping.storage.manifest import sealed, unsealed

ALIASES = ("production", "candidate")
ANY_RUN = "*"  # no id of a run
Action = Literal["propose", "promote", "refuse", "expire", "rollback"]

_MAX_ROLLBACKS = 20  # how many former production runs an entry remembers
_MAX_ATTEMPTS = 50  # against others who write at the same time


class Entry(BaseModel):
    """One change of the registry.

    Attributes:
        number: Its number, from 1.
        action: What was done: a run was proposed as the candidate, promoted to production or refused; nobody
            decided about it in time; or production went back to the run before.
        run: The run that was proposed, promoted, refused or left; after a rollback the new production.
        by: Who did it.
        at: When, in UTC.
        why: The reason, one sentence.
        candidate: The candidate after the change.
        former: The runs that a rollback leads to, the last one first to come; production itself is the last.
    """

    model_config = ConfigDict(frozen=True)

    number: int
    action: Action
    run: str
    by: str
    at: datetime
    why: str
    candidate: str | None
    former: list[str]

    @property
    def production(self) -> str | None:
        """The run in production after the change."""
        return self.former[-1] if self.former else None


class Registry:
    """The aliases and their history in a home.

    Args:
        home: Folder or address of the store and the runs.
    """

    def __init__(self, home: str | Path) -> None:
        self.home = home
        self._folder = remote.local_folder(home) / "registry"

    @property
    def production(self) -> str | None:
        """ID of the run in production; ``None`` before the first promotion."""
        last = self._last()
        return None if last is None else last.production

    @property
    def candidate(self) -> str | None:
        """ID of the run that was proposed last and about which nobody has decided."""
        last = self._last()
        return None if last is None else last.candidate

    @property
    def aliases(self) -> dict[str, str]:
        """The runs that have an alias, by alias."""
        last = self._last()
        found = {} if last is None else {"production": last.production, "candidate": last.candidate}
        return {alias: run_id for alias, run_id in found.items() if run_id is not None}

    def history(self) -> list[Entry]:
        """Return all changes, the oldest first.

        Raises:
            StoreError: An entry is damaged.
        """
        return [self._read(name) for name in self._names()]

    def decision(self, run_id: str) -> Entry | None:
        """Return the last decision about a run: promoted, refused or expired; ``None`` if there is none.

        Args:
            run_id: ID of the run.
        """
        for name in reversed(self._names()):
            entry = self._read(name)
            if entry.run == run_id and entry.action in ("promote", "refuse", "expire"):
                return entry
        return None

    def propose(self, run_id: str, *, why: str, by: str) -> Entry:
        """Make a run the candidate.

        Args:
            run_id: ID of a run that has published.
            why: The reason, one sentence.
            by: Who does it.

        Raises:
            ConfigError: The run does not exist or has not published.
        """
        self._check_published(run_id)
        return self._append("propose", run_id, why, by, lambda last: (run_id, _former(last)))

    def promote(self, run_id: str, *, why: str, by: str, instead_of: str | None = ANY_RUN) -> Entry:
        """Put a run into production.

        Args:
            run_id: ID of a run that has published.
            why: The reason, one sentence.
            by: Who does it.
            instead_of: The production run that it was compared with, ``None`` for none: if another one is in
                production by now, nothing is promoted. By default it does not matter.

        Returns:
            The entry; the last one if the run is in production already.

        Raises:
            ConfigError: The run does not exist, has not published, or another run was promoted meanwhile.
        """
        self._check_published(run_id)
        last = self._last()
        if last is not None and last.production == run_id:
            return last

        def change(last: Entry | None) -> tuple[str | None, list[str]]:
            production = None if last is None else last.production
            if instead_of not in (ANY_RUN, production):
                raise ConfigError(
                    f"{run_id} was compared with {instead_of or 'no production run'}, but meanwhile "
                    f"{production} is in production: compare it with that one, and promote it again"
                )
            candidate = None if last is None or last.candidate == run_id else last.candidate
            return candidate, [*_former(last), run_id]

        return self._append("promote", run_id, why, by, change)

    def refuse(
        self, run_id: str, *, why: str, by: str, action: Literal["refuse", "expire"] = "refuse"
    ) -> Entry:
        """Note that a run is not promoted; it is the candidate no more.

        Args:
            run_id: ID of the run.
            why: The reason, one sentence.
            by: Who does it.
            action: ``expire`` if nobody has decided in time.
        """

        def change(last: Entry | None) -> tuple[str | None, list[str]]:
            candidate = None if last is None or last.candidate == run_id else last.candidate
            return candidate, _former(last)

        return self._append(action, run_id, why, by, change)

    def rollback(self, *, why: str, by: str) -> Entry:
        """Put the run back into production that was there before the current one.

        Args:
            why: The reason, one sentence.
            by: Who does it.

        Returns:
            The entry; its ``run`` is in production now.

        Raises:
            ConfigError: There was no run in production before, or it does not exist any more.
        """
        last = self._last()
        if last is None or len(last.former) < 2:
            raise ConfigError(
                f"nothing to roll back to in {self.home}: "
                + (
                    f"{last.production} is the first run in production"
                    if last and last.former
                    else "no run was promoted"
                )
            )
        left, back = last.former[-1], last.former[-2]
        self._check_published(back)

        def change(last: Entry | None) -> tuple[str | None, list[str]]:
            if last is None or last.former[-2:] != [back, left]:
                raise ConfigError(
                    f"{left} is not in production any more: look at `metamapping runs`, and roll back again "
                    "if that is still wanted"
                )
            return last.candidate, last.former[:-1]

        return self._append("rollback", back, why, by, change)

    def _append(
        self,
        action: Action,
        run_id: str,
        why: str,
        by: str,
        change: Callable[[Entry | None], tuple[str | None, list[str]]],
    ) -> Entry:
        """Write the next entry; what others have written meanwhile comes first, and is built upon."""
        for _ in range(_MAX_ATTEMPTS):
            last = self._last()
            candidate, former = change(last)
            entry = Entry(
                number=1 if last is None else last.number + 1,
                action=action,
                run=run_id,
                by=by,
                at=datetime.now(UTC),
                why=why,
                candidate=candidate,
                former=former[-_MAX_ROLLBACKS:],
            )
            text = json.dumps(sealed(json.loads(entry.model_dump_json())), indent=1, ensure_ascii=False)
            if remote.create_file(self._folder / _name(entry.number), f"{text}\n".encode()):
                return entry
        raise StoreError(f"{remote.place_of(self._folder)} is written by too many at once: try again")

    def _last(self) -> Entry | None:
        names = self._names()
        return self._read(names[-1]) if names else None

    def _names(self) -> list[str]:
        return [name for name in remote.list_files(self._folder) if name == _name_of_file(name)]

    def _read(self, name: str) -> Entry:
        path = self._folder / name
        place, data = remote.place_of(path), remote.read_file(path)
        try:
            return Entry.model_validate(unsealed(data or b"", place))
        except (ValueError, StoreError) as error:
            raise StoreError(
                f"{place} is damaged ({one_line(error)}): restore it from a copy; without it nobody knows "
                "which run is in production"
            ) from error

    def _check_published(self, run_id: str) -> None:
        run = RunFolder(self.home, run_id)
        if not run.has_published:
            raise ConfigError(
                f"run {run_id!r} has no published encoder under {remote.place_of(run.path)}: let it finish, "
                "or give the id of a published run (`metamapping runs` lists them)"
            )


def current_user() -> str:
    """The user of this process, for the history: ``ann@machine``."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        user = "unknown"
    return f"{user}@{socket.gethostname()}"


def _former(last: Entry | None) -> list[str]:
    return [] if last is None else last.former


def _name(number: int) -> str:
    return f"{number:08d}.json"


def _name_of_file(name: str) -> str | None:
    """The name that an entry's file would have; other files of the folder are nobody's."""
    stem = name.removesuffix(".json")
    return _name(int(stem)) if stem.isdecimal() else None
