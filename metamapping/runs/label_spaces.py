"""The label spaces of a run's sources: checked before the run starts, and read from the token shards.

In a corpus of more than a million rows, the arrays of each label space are written into files once, and
mapped into memory by every process that trains or evaluates. They can always be written again from the
shards, so they are stored on each machine, even if the run's home is at an address.

check_run(config)                                     # before anything is prepared
spaces = read_spaces(config, corpus, "train")         # from the prepared corpus
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from metamapping.config.episodes import EvaluationSpec
from metamapping.config.schema import RunConfig
from metamapping.config.sources import ROLES, Role, Source
from metamapping.corpus.label_counts import count_labels, list_rows_hint
from metamapping.corpus.prepared import Corpus
from metamapping.corpus.shards import iterate_shards, read_shards
from metamapping.corpus.source_checks import check_sources
from metamapping.corpus.tokenization import encode_texts, load_tokenizer
from metamapping.episodes.label_space import (
    LabelSpace,
    TokenizeNames,
    build_label_space,
    check_enough_examples,
    label_space_of,
)
from metamapping.episodes.space_arrays import collect_arrays, open_arrays
from metamapping.errors import ConfigError
from metamapping.runs.suspicions import suspicions
from metamapping.runs.tracking import check_tracking
from metamapping.storage import remote
from metamapping.storage.artifacts import Reference, Stage, Store
from metamapping.storage.hub_access import check_hub

# Rows of all sources together whose label spaces are held in memory, at about 180 bytes a row of 30 tokens.
MAX_ROWS_IN_MEMORY = 1_000_000

_VERSION = 1


def check_run(config: RunConfig) -> list[str]:
    """Check, before anything runs, that sources can be read and have enough examples of each label.

    What can be known only after cleaning is checked by ``check_label_spaces``.

    Args:
        config: The configuration of the run.

    Returns:
        Sentences about what is suspicious, though it can run.

    Raises:
        ConfigError: A source cannot be read, a label has too few examples, the hub cannot be reached, or
            tracking needs a package that is not installed.
        StoreError: ``home`` is an address that cannot be written to.
    """
    remote.check_writable(config.home)
    preset = config.encoder.preset or ""
    if preset.startswith("hf://"):
        check_hub({"encoder.preset": f"models/{preset.removeprefix('hf://')}"})
    check_sources(config.home, config.sources)
    known = {}
    for source in config.sources:
        counts = count_labels(source)
        if counts is None:
            continue
        known[source.name] = counts
        for role in (role for role in ROLES if role in source.roles):
            labels = source.label_roles[role] if source.label_roles else counts
            of_role = {label: counts[label] for label in labels if label in counts}
            try:
                _check_enough(source.name, of_role, role, config.evaluation, source.task_type == "ner")
            except ConfigError as error:
                raise ConfigError(f"{error}{list_rows_hint(source)}") from error
    return [*suspicions(config, known), *check_tracking(config)]


def check_label_spaces(config: RunConfig, corpus: Corpus) -> None:
    """Check, before anything is trained, that enough examples of each label are left after cleaning.

    Args:
        config: The configuration of the run.
        corpus: The prepared sources, in the configuration's order.

    Raises:
        ConfigError: A label has too few examples.
    """
    for role in ROLES:
        for space in read_spaces(config, corpus, role):
            _check_enough(space.source, space.counts, role, config.evaluation, space.is_ner)


def _check_enough(
    source: str, counts: Mapping[str, int], role: Role, evaluation: EvaluationSpec, is_ner: bool
) -> None:
    shots = max(evaluation.shots)
    if role == "train":
        check_enough_examples(source, counts, needed=2, why="1 shot + 1 query")
    elif is_ner:
        check_enough_examples(source, counts, needed=shots + 1, why=f"{shots} shots + 1 query")
    else:
        needed, why = shots + evaluation.num_queries, f"{shots} shots + {evaluation.num_queries} queries"
        check_enough_examples(source, counts, needed=needed, why=why)


def read_spaces(
    config: RunConfig, corpus: Corpus, role: Role, *, only: Collection[str] | None = None
) -> list[LabelSpace]:
    """Read the label spaces of the sources with a role from their token shards.

    Args:
        config: Names the sources and their roles.
        corpus: The prepared sources, in the configuration's order.
        role: ``train``, ``validation`` or ``test``.
        only: Names of the sources to read; all of the role by default.

    Returns:
        The label spaces in the configuration's order.

    Raises:
        ConfigError: A source has too few labels, or a listed label without examples.
        StoreError: The shards or the tokenizer are missing or damaged.
    """
    tokenizer = load_tokenizer(corpus.tokenizer.fetch(), max_length_tokens=config.encoder.max_length_tokens)

    def tokenize_names(names: Sequence[str]) -> list[list[int]]:
        return encode_texts(tokenizer, names).token_ids

    tokens = {reference.name: reference for reference in corpus.tokens}
    is_large = sum(reference.counts.get("rows_out", 0) for reference in corpus.tokens) > MAX_ROWS_IN_MEMORY
    read = _map_space if is_large else _read_space
    return [
        read(config, source, tokens[source.name], role, tokenize_names)
        for source in config.sources_with(role)
        if only is None or source.name in only
    ]


def _read_space(
    config: RunConfig, source: Source, tokens: Reference, role: Role, tokenize_names: TokenizeNames
) -> LabelSpace:
    """The label space of a source, in memory."""
    return build_label_space(source, read_shards(tokens.fetch()), role=role, tokenize_names=tokenize_names)


def _map_space(
    config: RunConfig, source: Source, tokens: Reference, role: Role, tokenize_names: TokenizeNames
) -> LabelSpace:
    """The label space of a source, mapped from files, which are written if they do not exist yet."""

    def write(folder: Path) -> dict[str, int]:
        shards = tokens.fetch()
        arrays = collect_arrays(
            source, lambda columns: iterate_shards(shards, columns=columns), role=role, folder=folder
        )
        return {"rows": sum(arrays.counts), "labels": len(arrays.labels)}

    labels = sorted(source.label_roles[role]) if source.label_roles else None
    settings: dict[str, object] = {"labels": labels}
    if source.ordinal is not None:
        settings["ordinal"] = list(source.ordinal)
    stage = Stage("label-space", source.name, _VERSION, settings, [tokens.fingerprint])
    # Only the store of this machine is used: what it finds there, it has verified.
    written = Store(remote.machine_folder(config.home)).get_or_write(stage, write)
    return label_space_of(source, open_arrays(Path(written.path)), tokenize_names)
