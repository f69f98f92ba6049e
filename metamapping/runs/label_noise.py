"""Label noise of a corpus: which labels of its sources the other rows contradict, before anything is trained.

Input: a configuration and the examples of its sources. Output: a stage for each source that was checked, with
the table ``suspicious.parquet`` (and the same as CSV for people). The rows of each source are judged by the
encoder that the run starts from, as ``metamapping check-labels`` does (``suspicious_table``). With
``label_noise.action: reject`` the rows of train sources leave the corpus as rejects, with the label that was
suggested: whole texts and sentences, also where one of several labels or words is contradicted. Rows that are
held out stay, because a test without its doubtful rows would be easier.

    checked = check_label_noise(config, examples)
    checked[0].table()                            # row, text, words, label, suggested, probability, similar
    rejected = rows_to_reject(config, checked)    # {"bank": a table of row and suggested}

Nothing is found in a source with too few labels, and none is checked if the encoder is made from scratch: it
knows nothing about texts yet.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from metamapping.adaptation.mapper import MetaMapper
from metamapping.config.schema import RunConfig
from metamapping.config.sources import Source
from metamapping.corpus.screening import SUSPICIOUS
from metamapping.corpus.shards import count_rows, read_rows
from metamapping.errors import ConfigError, MissingExtraError, StoreError
from metamapping.publishing.pretrained_model import read_encoder
from metamapping.rounds.wording import count
from metamapping.runs.suspicious_table import LABEL_COLUMNS, find_suspicious, kind_of
from metamapping.storage.artifacts import Reference, Stage, Store
from metamapping.storage.manifest import fingerprint_file

# Raise it when the ranking of labels changes.
_VERSION = 3
_FILES = ("config.json", "model.safetensors", "manifest.json")

OnSource = Callable[[int, str], None]


@dataclass(frozen=True)
class CheckedLabels:
    """What was found in one source.

    Attributes:
        source: Name of the source.
        stage: The stage with the table.
    """

    source: str
    stage: Reference

    def table(self) -> pa.Table:
        """The suspicious rows, the most probable first, with the schema ``TABLE``."""
        return pq.read_table(self.stage.fetch() / "suspicious.parquet")

    @property
    def sentence(self) -> str:
        """How many labels are suspicious, of how many rows, and where the table is."""
        counts = self.stage.counts
        of = count(counts["rows_checked"], "row")
        if counts["rows_checked"] < counts["rows"]:
            of = f"{of} drawn from {counts['rows']:,} (`label_noise.max_rows`)"
        found = count(counts["suspicious"], "suspicious label")
        return f"source {self.source!r}: {found} in {of}: {self.stage.path}/suspicious.csv"


def not_checked(config: RunConfig) -> str | None:
    """Return why no source of a configuration is checked, or ``None`` if sources are.

    Args:
        config: The configuration.
    """
    if config.label_noise.action == "ignore":
        return "labels are not checked: `label_noise.action` is `ignore`"
    if config.encoder.preset is None:
        return (
            "labels are not checked: an encoder from scratch knows nothing about texts yet; once one is "
            "published, `metamapping check-labels PUBLISHED FILE` does it"
        )
    return None


def check_label_noise(
    config: RunConfig,
    examples: Sequence[Reference],
    *,
    on_source: OnSource = lambda done, source: None,
    on_problem: Callable[[str], None] = lambda problem: None,
) -> list[CheckedLabels]:
    """Find the suspicious labels of all sources, or read what was found before.

    The encoder is loaded for the first source that has not been checked yet.

    Args:
        config: The configuration.
        examples: The examples of each source, in the configuration's order.
        on_source: Called with the number of sources done so far and the name of the next one.
        on_problem: Called with a sentence if no source can be checked; the run continues without.

    Returns:
        What was found in each source that can be checked.

    Raises:
        ConfigError: ``label_noise.action`` is ``reject``, and no source can be checked.
    """
    try:
        if (problem := not_checked(config)) is not None:
            raise _NotCheckedError(problem)
        return _check(config, examples, on_source)
    except _NotCheckedError as error:
        if config.label_noise.action == "reject":
            raise ConfigError(
                f"`label_noise.action` is `reject`, but {error}; or set `label_noise.action` to `report`"
            ) from error
        on_problem(str(error))
        return []


def rows_to_reject(config: RunConfig, checked: Sequence[CheckedLabels]) -> dict[str, pa.Table]:
    """Return the rows that leave the corpus: those of train sources, if the configuration says so.

    Of a source that is split by its labels, these are the rows with labels that are trained on.

    Args:
        config: The configuration.
        checked: What was found in its sources.

    Returns:
        Tables with the schema ``SUSPICIOUS`` by source.
    """
    if config.label_noise.action != "reject":
        return {}
    source_of = {source.name: source for source in config.sources}
    rejected = {}
    for each in checked:
        table, source = each.table(), source_of[each.source]
        if "train" not in source.roles:
            continue
        if source.label_roles:
            trained = pa.array(list(source.label_roles["train"]), pa.string())
            table = table.filter(pc.is_in(table["label"], value_set=trained))
        rejected[source.name] = table.select(SUSPICIOUS.names).cast(SUSPICIOUS)
    return rejected


class _NotCheckedError(Exception):
    """No source can be checked; the message says why."""


def _check(config: RunConfig, examples: Sequence[Reference], on_source: OnSource) -> list[CheckedLabels]:
    @functools.cache
    def mapper() -> MetaMapper:
        try:
            return MetaMapper(read_encoder(str(config.encoder.preset)), progress=False)
        except (FileNotFoundError, StoreError, ConfigError, MissingExtraError) as error:
            raise _NotCheckedError(f"labels are not checked: {error}") from error

    store, checked = Store(config.home), []
    for done, (source, reference) in enumerate(zip(config.sources, examples, strict=True)):
        on_source(done, source.name)
        write = functools.partial(_write, config, source, reference, mapper)
        stage = store.get_or_write(_stage(config, source, reference), write)
        checked.append(CheckedLabels(source.name, stage))
    return checked


def _stage(config: RunConfig, source: Source, examples: Reference) -> Stage:
    folder = Path(str(config.encoder.preset))
    files = [[name, fingerprint_file(folder / name)] for name in _FILES if (folder / name).is_file()]
    settings: dict[str, Any] = {
        "encoder": files or config.encoder.preset,
        "label_names": source.label_names,
        **config.label_noise.model_dump(mode="json", exclude={"action"}),
    }
    return Stage("label-noise", source.name, _VERSION, settings, [examples.fingerprint])


def _write(
    config: RunConfig,
    source: Source,
    examples: Reference,
    mapper: Callable[[], MetaMapper],
    folder: Path,
) -> dict[str, int]:
    """Write the tables of a source; returns its counts."""
    spec = config.label_noise
    shards = examples.fetch()
    num_rows = count_rows(shards)
    drawn = np.random.default_rng(config.seed).permutation(num_rows)[: spec.max_rows].copy()
    columns = ["row", "text", "text_pair", *LABEL_COLUMNS[kind_of(source)]]
    rows = read_rows(shards, np.sort(drawn), columns=columns)
    try:
        rows, table = find_suspicious(source, rows, mapper(), spec.min_probability)
    except ValueError as error:  # such as about an encoder whose solver cannot leave rows out
        raise _NotCheckedError(f"labels of source {source.name!r} are not checked: {error}") from error
    pq.write_table(table, folder / "suspicious.parquet")
    pa_csv.write_csv(table, folder / "suspicious.csv")
    return {"rows": num_rows, "rows_checked": rows.num_rows, "suspicious": table.num_rows}
