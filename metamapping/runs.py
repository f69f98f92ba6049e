"""A run's folder: its checkpoints, its history and what it published.

``<home>/runs/<run_id>/`` holds ``checkpoints/round-0`` (untrained), ``round-1`` …, one file with the
measured scores of each round, ``rounds.jsonl`` with the judged rounds, and ``published/``. The run's
id follows from configuration and data, so the same command finds the same run again.

    run = RunFolder(config.home, run_id(config, corpus_fingerprints))
    history = run.read_history()
"""

from __future__ import annotations

import json
import os
import uuid
from pathlib import Path

from metamapping.adjustment import Round
from metamapping.config import RunConfig
from metamapping.store import StoreError, fingerprint, write_json

RUN_VERSION = 1


def run_id(config: RunConfig, corpus_fingerprints: list[str]) -> str:
    """The name of a run: ``<config name>-<fingerprint>`` over all that decides its result.

    Neither ``home`` nor the rounds' budget is part of it: with a higher ``max_rounds`` the same run
    goes on.
    """
    settings = config.model_dump(
        mode="json", exclude={"home": True, "sources": {"__all__": {"files", "hub"}}}
    )
    settings["convergence"].pop("max_rounds")
    settings["convergence"].pop("max_seconds")
    return f"{config.name}-{fingerprint([RUN_VERSION, settings, corpus_fingerprints])}"


class RunFolder:
    """Where a run keeps what it has reached."""

    def __init__(self, home: str | Path, run_id: str) -> None:
        self.run_id = run_id
        self.path = Path(home) / "runs" / run_id

    @property
    def checkpoints(self) -> Path:
        """Folder of the checkpoints."""
        return self.path / "checkpoints"

    @property
    def published(self) -> Path:
        """The published encoder, once the run has come to its end."""
        return self.path / "published"

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

    def read_result(self, name: str) -> dict[str, object] | None:
        """What a finished stage measured, or ``None``."""
        path = self.result(name)
        return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None

    def write_result(self, name: str, value: dict[str, object]) -> None:
        """Keep what a stage measured: written whole, or not at all."""
        self.path.mkdir(parents=True, exist_ok=True)
        write_json(self.result(name), value)
