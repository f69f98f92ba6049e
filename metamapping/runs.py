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
import os
import uuid
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from metamapping.adjustment import Round
from metamapping.config import ConfigError, RunConfig
from metamapping.store import MANIFEST, Reference, StoreError, fingerprint, write_json

RUN_VERSION = 2


class Corpus(BaseModel):
    """A prepared corpus: the token shards of each source, in configuration order."""

    model_config = ConfigDict(frozen=True)

    tokens: list[Reference]
    tokenizer: Reference

    @property
    def fingerprints(self) -> list[str]:
        """Of the tokenizer and every source's shards: they change when the data does."""
        return [self.tokenizer.fingerprint, *(reference.fingerprint for reference in self.tokens)]

    @property
    def vocabulary_size(self) -> int:
        """Number of different token ids."""
        return self.tokenizer.counts["vocabulary_size"]


def run_id(config: RunConfig, corpus_fingerprints: list[str]) -> str:
    """The name of a run: ``<config name>-<fingerprint>`` over all that decides its result.

    Where the files lie does not: their bytes are part of the corpus fingerprints.
    """
    settings = config.model_dump(
        mode="json", exclude={"home": True, "sources": {"__all__": {"files", "hub"}}}
    )
    return f"{config.name}-{fingerprint([RUN_VERSION, settings, corpus_fingerprints])}"


class RunFolder:
    """Where a run keeps what it has reached."""

    def __init__(self, home: str | Path, run_id: str) -> None:
        self.run_id = run_id
        self.path = Path(home) / "runs" / run_id

    @classmethod
    def of_published(cls, published: str | Path) -> RunFolder:
        """The run that published a folder."""
        path = Path(published).parent
        return cls(path.parent.parent, path.name)

    @property
    def is_open(self) -> bool:
        """Whether ``open`` has been called for this run, in this process or another."""
        return (self.path / "run.json").is_file()

    def open(self, config: RunConfig, corpus: Corpus) -> None:
        """Write down configuration and corpus, from which every stage of the run reads them."""
        self.write_result("run", {"config": config.model_dump(mode="json"), "corpus": corpus.model_dump()})

    @functools.cached_property
    def config(self) -> RunConfig:
        """The run's configuration. Raises ``ConfigError`` where there is no such run."""
        return RunConfig.model_validate(self._opened()["config"])

    @functools.cached_property
    def corpus(self) -> Corpus:
        """The run's corpus. Raises ``ConfigError`` where there is no such run."""
        return Corpus.model_validate(self._opened()["corpus"])

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
    def published_at(self) -> float:
        """When the run published, in seconds since the epoch. Raises ``FileNotFoundError``."""
        return (self.published / MANIFEST).stat().st_mtime

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
        if not path.is_file():
            return []
        lines = path.read_text(encoding="utf-8").splitlines()
        try:
            return [Round.model_validate_json(line) for line in lines]
        except ValueError as error:
            raise StoreError(
                f"{path} is damaged ({error}): remove its last lines; the rounds' scores stand "
                "beside it and are judged again"
            ) from error

    def append_round(self, round: Round) -> None:
        """Add a judged round; the whole file is replaced at once."""
        lines = [r.model_dump_json() for r in [*self.read_history(), round]]
        draft = self.path / f".rounds.jsonl.{uuid.uuid4().hex[:8]}"
        with draft.open("w", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n")
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self.path / "rounds.jsonl")

    def read_result(self, name: str) -> dict[str, Any] | None:
        """What a finished stage measured, or ``None``."""
        path = self.result(name)
        if not path.is_file():
            return None
        try:
            value: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise StoreError(f"{path} is damaged ({error}): remove it to have it made again") from error
        return value

    def write_result(self, name: str, value: dict[str, Any]) -> None:
        """Keep what a stage measured: written whole, or not at all."""
        self.path.mkdir(parents=True, exist_ok=True)
        write_json(self.result(name), value)

    def _opened(self) -> dict[str, Any]:
        opened = self.read_result("run")
        if opened is None:
            raise ConfigError(
                f"there is no run {self.run_id!r} under {self.path.parent}: check the run's id and "
                "`home`, or start the run with its configuration"
            )
        return opened
