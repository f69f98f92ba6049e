"""A run's folder: its checkpoints, its history and what it published.

``<home>/runs/<run_id>/`` holds ``checkpoints/round-0`` (untrained), ``round-1`` …, one file with the
measured scores of each round, ``rounds.jsonl`` with the judged rounds, and ``published/``. The run's
id follows from configuration and data, so the same command finds the same run again.

    run = RunFolder(config.home, run_id(config, corpus_fingerprints))
    history = run.read_history()
"""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from metamapping.config.schema import RunConfig
from metamapping.corpus.prepared import Corpus
from metamapping.errors import ConfigError, StoreError, one_line
from metamapping.rounds.records import Round
from metamapping.storage import remote
from metamapping.storage.manifest import MANIFEST, fingerprint, sealed, unsealed

RUN_VERSION = 3

_Model = TypeVar("_Model", bound=BaseModel)


def run_id(config: RunConfig, corpus_fingerprints: list[str]) -> str:
    """The name of a run: ``<config name>-<fingerprint>`` over all that decides its result.

    Where the files lie does not, since their bytes are part of the corpus fingerprints; nor where they
    were worked on, nor which checkpoints are kept.
    """
    return f"{config.name}-{fingerprint([RUN_VERSION, deciding_settings(config), corpus_fingerprints])}"


def deciding_settings(config: RunConfig) -> dict[str, Any]:
    """What of a configuration decides a run's result: not where it is kept, nor who computes it."""
    return config.model_dump(
        mode="json",
        exclude={
            "home": True,
            "engine": True,
            "sources": {"__all__": {"files", "hub"}},
            "training": {"devices", "keep_checkpoints"},
        },
    )


class RunFolder:
    """Where a run keeps what it has reached. ``home`` is a folder or an address.

    Paths are those of this machine; ``place`` is what names the run on every machine.
    """

    def __init__(self, home: str | Path, run_id: str) -> None:
        if not run_id or run_id in (".", "..") or set(run_id) & set("/\\\0"):
            raise ConfigError(f"run {run_id!r:.120} is no run's id, which is the name of its folder")
        self.run_id = run_id
        self.path = remote.local_folder(home) / "runs" / run_id

    @classmethod
    def of_published(cls, published: str | Path) -> RunFolder:
        """The run that published a folder, or what stands at an address."""
        return cls.at(remote.local_folder(published).parent)

    @classmethod
    def at(cls, place: str | Path) -> RunFolder:
        """The run whose folder, or its address, this is."""
        path = remote.local_folder(place).absolute()
        return cls(path.parent.parent, path.name)

    @property
    def place(self) -> str:
        """The run's folder, or its address where `home` is one."""
        return remote.place_of(self.path)

    @property
    def is_open(self) -> bool:
        """Whether ``open`` has been called for this run, in this process or another."""
        return remote.read_file(self.result("run")) is not None

    def open(self, config: RunConfig, corpus: Corpus) -> None:
        """Write down configuration and corpus, from which every stage of the run reads them."""
        self.write_result("run", {"config": config.model_dump(mode="json"), "corpus": corpus.model_dump()})

    @functools.cached_property
    def config(self) -> RunConfig:
        """The run's configuration. Raises ``ConfigError`` where there is no such run, ``StoreError``."""
        return self._opened("config", RunConfig)

    @functools.cached_property
    def corpus(self) -> Corpus:
        """The run's corpus. Raises ``ConfigError`` where there is no such run."""
        return self._opened("corpus", Corpus)

    @property
    def checkpoints(self) -> Path:
        """Folder of the checkpoints."""
        return self.path / "checkpoints"

    @property
    def tensorboard(self) -> Path:
        """Folder of the event files that TensorBoard draws."""
        return self.path / "tensorboard"

    @property
    def published(self) -> Path:
        """The published encoder, once the run has come to its end."""
        return self.path / "published"

    @property
    def has_published(self) -> bool:
        """Whether the run has come to its end."""
        return remote.read_file(self.published / MANIFEST) is not None

    @property
    def published_at(self) -> float:
        """When the run published, in seconds since the epoch."""
        return remote.modified_at(self.published / MANIFEST)

    def checkpoint(self, round: int) -> Path:
        """The checkpoint at the end of a round; round 0 is the untrained encoder."""
        return self.checkpoints / f"round-{round}"

    def partial(self, round: int) -> Path:
        """Where a round that is being trained keeps its partial checkpoints."""
        return self.checkpoints / f"round-{round}-partial"

    def result(self, name: str) -> Path:
        """A JSON file with what a stage measured."""
        return self.path / f"{name}.json"

    def read_history(self) -> list[Round]:
        """The judged rounds, in order. Raises ``StoreError`` on a damaged file."""
        path = self.path / "rounds.jsonl"
        data = remote.read_file(path)
        if data is None:
            return []
        place = remote.place_of(path)
        try:
            return [Round.model_validate(unsealed(line, place)) for line in data.splitlines()]
        except (ValueError, StoreError) as error:
            raise StoreError(
                f"{place} is damaged ({one_line(error)}): remove its last lines; the "
                "rounds' scores stand beside it and are judged again"
            ) from error

    def append_round(self, round: Round) -> None:
        """Add a judged round; the whole file is replaced at once."""
        rounds = [json.loads(each.model_dump_json()) for each in [*self.read_history(), round]]
        lines = "".join(json.dumps(sealed(each), ensure_ascii=False) + "\n" for each in rounds)
        remote.write_file(self.path / "rounds.jsonl", lines.encode())

    def read_result(self, name: str) -> dict[str, Any] | None:
        """What a finished stage measured, or ``None``. Raises ``StoreError`` on a damaged file."""
        data = remote.read_file(self.result(name))
        return None if data is None else unsealed(data, remote.place_of(self.result(name)))

    def write_result(self, name: str, value: dict[str, Any]) -> None:
        """Keep what a stage measured: written whole, or not at all."""
        text = json.dumps(sealed(value), indent=1, ensure_ascii=False)
        remote.write_file(self.result(name), f"{text}\n".encode())

    def _opened(self, part: str, model: type[_Model]) -> _Model:
        opened = self.read_result("run")
        if opened is None:
            raise ConfigError(
                f"there is no run {self.run_id!r} under {remote.place_of(self.path.parent)}: check the "
                "run's id and `home`, or start the run with its configuration"
            )
        try:
            return model.model_validate(opened.get(part))
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            place = ".".join(map(str, (part, *first["loc"])))
            raise StoreError(
                f"{self.result('run')} is damaged ({place:.120}: {first['msg']}): start the run again "
                "with its configuration"
            ) from error
