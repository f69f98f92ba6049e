"""The rows of each source of a run: which have changed since another run, have shrunk or have grown.

The shards of a source also depend on the tokenizer, and a tokenizer that is learned depends on all train
sources. So sources are compared by their cleaned rows, before they are tokenized.

    source_rows(run)                                      # {"bank": "6b1c51319b9f94bc"}
    last = last_run(home, "support", {"bank": 60})
    shrunken_sources(last, {"bank": 60})                  # sentences about what it had then
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from metamapping.errors import ConfigError, StoreError, listed
from metamapping.runs.folder import RUN_FILE, RunFolder
from metamapping.storage import remote
from metamapping.storage.artifacts import Reference
from metamapping.storage.manifest import MANIFEST, unsealed

SHRUNKEN = 0.8  # a source with less than this share of its rows in the last run has shrunk


def source_rows(run: RunFolder) -> dict[str, str]:
    """Identify the cleaned rows of each source.

    Args:
        run: An opened run.

    Returns:
        By source, the fingerprint of its examples; of its shards where the store has lost the way to them.
    """
    return {tokens.name: _examples_of(tokens) or tokens.fingerprint for tokens in run.corpus.tokens}


def shrunken_sources(last: RunFolder, rows: Mapping[str, int]) -> list[str]:
    """Find the sources that have lost many of their rows since another run.

    Args:
        last: An opened run, the last one of the same name.
        rows: Rows by source, as prepared now.

    Returns:
        A sentence for each of these sources.
    """
    return [
        f"source {source!r} has {rows[source]:,} rows; in the last run of {last.config.name!r} "
        f"({last.run_id}) it had {number:,} ({rows[source] / number - 1:.0%})"
        for source, number in _number_of_rows(last).items()
        if source in rows and rows[source] < SHRUNKEN * number
    ]


def grown_sources(last: RunFolder, rows: Mapping[str, int]) -> list[str]:
    """Find the sources that have got new rows since another run.

    Args:
        last: An opened run, the last one of the same name.
        rows: Rows by source, as prepared now.

    Returns:
        One sentence about all of them; none if there are none.
    """
    grown = [
        f"{source} ({rows[source]:,}, before {number:,})"
        for source, number in _number_of_rows(last).items()
        if rows.get(source, 0) > number
    ]
    if not grown:
        return []
    return [f"more rows than in the last run of {last.config.name!r} ({last.run_id}): {listed(grown)}"]


def last_run(home: str, name: str, rows: Mapping[str, int]) -> RunFolder | None:
    """Find the run of a name that was opened last, unless it has the same numbers of rows as now.

    Args:
        home: Folder or address of the store and the runs.
        name: Name of the run's configuration.
        rows: Rows by source, as prepared now.
    """
    folders = remote.list_folders(RunFolder(home, name).path.parent, RUN_FILE)
    opened = [path for path in folders if path.name.startswith(f"{name}-")]
    for path in sorted(opened, key=lambda each: remote.modified_at(each / RUN_FILE), reverse=True):
        run = RunFolder.at(path)
        try:
            if run.config.name == name:
                return None if _number_of_rows(run) == dict(rows) else run
        except (ConfigError, StoreError):  # of an older version, or damaged: this is no place to say so
            continue
    return None


def _number_of_rows(run: RunFolder) -> dict[str, int]:
    """The rows of each source of a run."""
    return {tokens.name: tokens.counts["rows_out"] for tokens in run.corpus.tokens}


def _examples_of(tokens: Reference) -> str | None:
    """The fingerprint of the examples that shards were made of, from the manifests in the store."""
    folder = remote.local_folder(tokens.path)
    stage, upstream = read_stage(folder)
    if stage == "screened" and upstream:
        stage, upstream = read_stage(folder.parent / f"tokens-{tokens.name}-{upstream[0]}")
    return upstream[0] if stage == "tokens" and upstream else None


def read_stage(folder: Path) -> tuple[str, list[str]]:
    """Read kind and upstream fingerprints of a stage.

    Args:
        folder: The stage's folder, or the cache folder of its address.

    Returns:
        Both, empty where its manifest cannot be read.
    """
    data = remote.read_member(folder, MANIFEST)
    if data is None:
        return "", []
    try:
        manifest = unsealed(data, str(folder))
        return str(manifest["stage"]), [str(each) for each in manifest["upstream"]]
    except (StoreError, LookupError, TypeError):
        return "", []
