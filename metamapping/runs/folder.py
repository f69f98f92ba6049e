"""The folder of a run: its checkpoints, its history and its published encoder.

``<home>/runs/<run_id>/`` contains ``checkpoints/round-0`` (before meta-training), ``round-1`` …, a file with
the scores of each evaluated round, ``rounds.jsonl`` with the judged rounds, and ``published/``. The run's
id is a function of configuration and data, so the same command finds the same run again.

    run = RunFolder(config.home, run_id(config, corpus_fingerprints))
    history = run.read_history()
"""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from metamapping.config.schema import PRETRAINED, RunConfig
from metamapping.corpus.prepared import Corpus
from metamapping.errors import ConfigError, StoreError, one_line
from metamapping.rounds.records import Round, TrainingReport
from metamapping.storage import remote
from metamapping.storage.manifest import MANIFEST, fingerprint, sealed, unsealed
from metamapping.training.checkpoints import read_state

RUN_VERSION = 3
RUN_FILE = "run.json"  # what makes a folder that of a run

_Model = TypeVar("_Model", bound=BaseModel)


def run_id(config: RunConfig, corpus_fingerprints: list[str]) -> str:
    """The id of a run: ``<config name>-<fingerprint>`` over everything that decides its result.

    Args:
        config: The run's configuration. Paths of files are ignored, since the files' bytes are part of
            the corpus fingerprints; so are the devices and which checkpoints are kept.
        corpus_fingerprints: ``Corpus.fingerprints`` of the prepared sources.

    Returns:
        The id, which is also the name of the run's folder.
    """
    return f"{config.name}-{fingerprint([RUN_VERSION, deciding_settings(config), corpus_fingerprints])}"


def deciding_settings(config: RunConfig) -> dict[str, Any]:
    """Return the part of a configuration that decides a run's result.

    Args:
        config: The configuration.

    Returns:
        The settings as nested plain values, without locations, devices, which checkpoints are kept and what
        happens to the published encoder.
    """
    settings = config.model_dump(
        mode="json",
        exclude={
            "home": True,
            "engine": True,
            "label_noise": True,
            "promotion": True,
            "tracking": True,
            "sources": {"__all__": {"files", "hub"}},
            "training": {"devices", "keep_checkpoints"},
        },
    )
    # So that runs from before there were these settings keep their ids.
    if config.start == PRETRAINED:
        del settings["start"]
    for source in settings["sources"]:
        for name in ("multi_label", "label_separator", "ordinal"):
            if not source[name]:
                del source[name]
        if source["columns"]["label_columns"] is None:
            del source["columns"]["label_columns"]
    return settings


class RunFolder:
    """The files of one run.

    Args:
        home: Folder or address of the store and the runs.
        run_id: The run's id, which is the name of its folder.

    Attributes:
        run_id: The run's id.
        path: The run's folder on this machine; if the home is at an address, its copy in the cache.
    """

    def __init__(self, home: str | Path, run_id: str) -> None:
        if not run_id or run_id in (".", "..") or set(run_id) & set("/\\\0"):
            raise ConfigError(
                f"run {run_id!r:.120} is not a valid run id: expected the name of a folder in `runs`"
            )
        self.run_id = run_id
        self.path = remote.local_folder(home) / "runs" / run_id

    @classmethod
    def of_published(cls, published: str | Path) -> RunFolder:
        """Return the run that a published folder belongs to.

        Args:
            published: The published folder, or its address.

        Returns:
            The run.
        """
        return cls.at(remote.local_folder(published).parent)

    @classmethod
    def at(cls, place: str | Path) -> RunFolder:
        """Return the run with a given folder.

        Args:
            place: The run's folder, or its address.

        Returns:
            The run.
        """
        path = remote.local_folder(place).absolute()
        return cls(path.parent.parent, path.name)

    @property
    def place(self) -> str:
        """The location of the run for other machines: its address if ``home`` is one, else its folder."""
        return remote.place_of(self.path)

    @property
    def is_open(self) -> bool:
        """Whether ``open`` has been called for this run, in this process or another."""
        return remote.read_file(self.result("run")) is not None

    def open(self, config: RunConfig, corpus: Corpus) -> None:
        """Write the configuration and the corpus into ``run.json``, where every stage reads them.

        Args:
            config: The configuration of the run.
            corpus: The prepared sources, in the configuration's order.
        """
        self.write_result("run", {"config": config.model_dump(mode="json"), "corpus": corpus.model_dump()})

    @functools.cached_property
    def config(self) -> RunConfig:
        """The run's configuration.

        Raises:
            ConfigError: The run does not exist.
            StoreError: ``run.json`` is damaged.
        """
        return self._opened("config", RunConfig)

    @functools.cached_property
    def corpus(self) -> Corpus:
        """The run's corpus.

        Raises:
            ConfigError: The run does not exist.
            StoreError: ``run.json`` is damaged.
        """
        return self._opened("corpus", Corpus)

    @property
    def checkpoints(self) -> Path:
        """Folder of the checkpoints."""
        return self.path / "checkpoints"

    @property
    def tensorboard(self) -> Path:
        """Folder of the TensorBoard event files."""
        return self.path / "tensorboard"

    @property
    def published(self) -> Path:
        """Folder of the published encoder, once the run has finished."""
        return self.path / "published"

    @property
    def page(self) -> Path:
        """The HTML page about the run, which is written with each judged round and after publishing."""
        return self.path / "report.html"

    @property
    def has_page(self) -> bool:
        """Whether there is such a page; runs of earlier versions have none."""
        return remote.read_file(self.page) is not None

    @property
    def has_published(self) -> bool:
        """Whether the run has finished."""
        return remote.read_file(self.published / MANIFEST) is not None

    @property
    def published_at(self) -> float:
        """When the run published, in seconds since the epoch."""
        return remote.modified_at(self.published / MANIFEST)

    def checkpoint(self, round: int) -> Path:
        """Return the folder of the checkpoint at the end of a round.

        Args:
            round: Number of the round; 0 is the encoder before meta-training.

        Returns:
            The path; the folder need not exist.
        """
        return self.checkpoints / f"round-{round}"

    def partial(self, round: int) -> Path:
        """Return the folder of the partial checkpoints of a round that is being trained.

        Args:
            round: Number of the round.

        Returns:
            The path; the folder need not exist.
        """
        return self.checkpoints / f"round-{round}-partial"

    def result(self, name: str) -> Path:
        """Return the path of the JSON file with a stage's result.

        Args:
            name: Name of the result, such as ``validation-2``.

        Returns:
            The path; the file need not exist.
        """
        return self.path / f"{name}.json"

    def read_training(self, round: int) -> TrainingReport | None:
        """Read the training report of a round.

        Args:
            round: Number of the round, from 1.

        Returns:
            The report, or ``None`` if the round has not been trained.
        """
        state = read_state(self.checkpoint(round))
        return None if state is None else TrainingReport.model_validate(state["report"])

    def read_history(self) -> list[Round]:
        """Read the judged rounds.

        Returns:
            The rounds from 1 on, in order.

        Raises:
            StoreError: ``rounds.jsonl`` is damaged.
        """
        path = self.path / "rounds.jsonl"
        data = remote.read_file(path)
        if data is None:
            return []
        place = remote.place_of(path)
        try:
            return [Round.model_validate(unsealed(line, place)) for line in data.splitlines()]
        except (ValueError, StoreError) as error:
            raise StoreError(
                f"{place} is damaged ({one_line(error)}): remove it; its rounds are then judged again from "
                "their scores in the same folder"
            ) from error

    def append_round(self, round: Round) -> None:
        """Add a judged round to the history. The file is replaced atomically.

        Args:
            round: The round after the last one in the history.

        Raises:
            StoreError: ``rounds.jsonl`` is damaged.
        """
        rounds = [json.loads(each.model_dump_json()) for each in [*self.read_history(), round]]
        lines = "".join(json.dumps(sealed(each), ensure_ascii=False) + "\n" for each in rounds)
        remote.write_file(self.path / "rounds.jsonl", lines.encode())

    def read_result(self, name: str) -> dict[str, Any] | None:
        """Read the result of a finished stage.

        Args:
            name: Name of the result, such as ``validation-2``.

        Returns:
            The result, or ``None`` if the stage has not finished.

        Raises:
            StoreError: The file is damaged.
        """
        data = remote.read_file(self.result(name))
        return None if data is None else unsealed(data, remote.place_of(self.result(name)))

    def write_result(self, name: str, value: dict[str, Any]) -> None:
        """Write the result of a stage atomically.

        Args:
            name: Name of the result, such as ``validation-2``.
            value: The result as plain JSON values.
        """
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
