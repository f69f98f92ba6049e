"""Continuation: a run that starts from a published encoder instead of the pretrained one.

With ``start: production`` the run that is in production is looked up once for the same rows and settings, and
written down under ``<home>/registry/starts``. Whoever prepares them again finds the same start, so that a run
which was interrupted resumes although another one was promoted meanwhile, and a night without new rows finds
the finished run of the night before. From the start come the weights of encoder and mapping, and the
tokenizer: a vocabulary that was learned again would not fit them.

    config = pin_start(config)                   # start: demo-1f0c3a77b2d94e61
    tokenizer = tokenizer_of_start(config)
    load_start_weights(config, learner)
"""

from __future__ import annotations

import json
import shutil
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

from metamapping.config.schema import PRETRAINED, PRODUCTION, RunConfig
from metamapping.corpus.prepared import Corpus
from metamapping.corpus.records import records_stage
from metamapping.corpus.tokenization import load_tokenizer
from metamapping.errors import ConfigError, StoreError
from metamapping.models.keras_import import lean_keras
from metamapping.publishing.layout import check_published
from metamapping.runs.folder import RunFolder, deciding_settings
from metamapping.runs.registry import Registry
from metamapping.storage import remote
from metamapping.storage.artifacts import Reference, Stage, Store, read_reference
from metamapping.storage.manifest import fingerprint, sealed, unsealed

if TYPE_CHECKING:  # it imports TensorFlow
    from metamapping.training.learner import Learner

_TOKENIZER_VERSION = 1
_TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "vocab.txt",
    "vocab.json",
    "merges.txt",
)


def pin_start(config: RunConfig, *, keep: bool = True) -> RunConfig:
    """Replace ``start: production`` by the id of the run that these rows and settings start from.

    Args:
        config: The configuration of a run.
        keep: Whether to write the start down if it is not yet, so that it stays.

    Returns:
        The configuration whose ``start`` is ``pretrained`` or the id of a run.

    Raises:
        ConfigError: The run to start from does not exist, or a source's file does not.
    """
    start = _pinned(config, keep=keep) if config.start == PRODUCTION else config.start
    if start != PRETRAINED:
        _check_start(config, start)
    return config.model_copy(update={"start": start})


def with_start_of(config: RunConfig, corpus: Corpus) -> RunConfig:
    """Return the configuration with the start that its corpus was prepared for.

    Args:
        config: The configuration.
        corpus: Its prepared sources.
    """
    return config if corpus.start is None else config.model_copy(update={"start": corpus.start})


def tokenizer_of_start(config: RunConfig) -> Reference | None:
    """Return the tokenizer of the run that a configuration starts from.

    Args:
        config: A configuration with a pinned start.

    Returns:
        The tokenizer, the one of the store if it is still there, so that sources which have not changed are
        not tokenized again; ``None`` if nothing is continued.

    Raises:
        StoreError: The published folder is damaged.
    """
    if config.start == PRETRAINED:
        return None
    run = RunFolder(config.home, config.start)
    stored = run.corpus.tokenizer
    if read_reference(remote.local_folder(stored.path)) == stored:
        return stored
    published = remote.open_folder(run.published)
    check_published(published)

    def write(folder: Path) -> dict[str, int]:
        for name in _TOKENIZER_FILES:
            if (published / name).is_file():
                shutil.copyfile(published / name, folder / name)
        tokenizer = load_tokenizer(folder, max_length_tokens=config.encoder.max_length_tokens)
        return {"vocabulary_size": tokenizer.get_vocab_size()}

    return Store(config.home).get_or_write(
        Stage("tokenizer", "start", _TOKENIZER_VERSION, {"start": config.start}), write
    )


def load_start_weights(config: RunConfig, learner: Learner) -> None:
    """Set encoder and mapping to those of the run that a configuration starts from, if there is one.

    Args:
        config: A configuration with a pinned start.
        learner: A learner that was just built; its optimizers stay as they are.

    Raises:
        ConfigError: The encoder of the configuration has another shape.
        StoreError: The published folder is damaged.
    """
    if config.start == PRETRAINED:
        return
    with lean_keras():
        from metamapping.publishing.published_model import read_published

    model = read_published(remote.open_folder(RunFolder(config.home, config.start).published))
    targets = [*learner.encoder.backbone.weights, *learner.mapping.weights]
    values = [*model.encoder.backbone.weights, *model.mapping.weights]
    shapes, found = ([tuple(each.shape) for each in variables] for variables in (targets, values))
    if shapes != found:
        raise ConfigError(
            f"start: the encoder of {config.start} has other weights than `encoder` describes: give "
            "`encoder` as that run has it, or start from `pretrained`"
        )
    for target, value in zip(targets, values, strict=True):
        target.assign(value.numpy())


def _pinned(config: RunConfig, *, keep: bool) -> str:
    """The start that was written down for these rows and settings; the first one who asks writes it."""
    rows = [records_stage(source).fingerprint for source in config.sources]
    key = fingerprint([deciding_settings(config), rows])
    path = remote.local_folder(config.home) / "registry" / "starts" / f"{key}.json"
    if remote.read_file(path) is None:
        start = Registry(config.home).production or PRETRAINED
        if not keep:
            return start
        value = sealed({"start": start, "run": config.name, "writer": uuid.uuid4().hex})
        remote.create_file(path, f"{json.dumps(value, indent=1)}\n".encode())
    data, place = remote.read_file(path), remote.place_of(path)
    pinned = unsealed(data or b"", place).get("start")
    if not isinstance(pinned, str):
        raise StoreError(f"{place} does not name a run: remove it")
    return pinned


def _check_start(config: RunConfig, start: str) -> None:
    run = RunFolder(config.home, start)
    if not run.is_open or not run.has_published:
        raise ConfigError(
            f"start: there is no published run {start!r} under {remote.place_of(run.path.parent)}: expected "
            "`pretrained`, `production`, or the id of a published run (`metamapping runs` lists them)"
        )
    old, new = run.config.encoder, config.encoder
    if (old.scratch is None) != (new.scratch is None) or old.max_length_tokens != new.max_length_tokens:
        raise ConfigError(
            f"start: `encoder` is not that of {start}, whose weights are continued: set `preset` or "
            f"`scratch`, and `max_length_tokens: {old.max_length_tokens}`, as that run has them, or start "
            "from `pretrained`"
        )
