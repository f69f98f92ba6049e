"""Screen sources: their tokens without the rows that leak."""

from pathlib import Path

import pyarrow as pa
from prefect import task
from prefect.cache_policies import NO_CACHE

from metamapping.config.sources import Source
from metamapping.corpus.leakage import read_leaks
from metamapping.corpus.screening import screened_stage, write_screened
from metamapping.corpus.source_groups import SourceGroup
from metamapping.storage.artifacts import Reference, Store


@task(task_run_name="screen {group.name}", cache_policy=NO_CACHE, persist_result=False)
def screen_sources(
    home: str, group: SourceGroup, tokens: list[Reference], leaks: Reference
) -> list[Reference]:
    """Remove the rows that leak from the tokens of each source.

    Args:
        home: Folder or address of the store.
        group: The sources that this task run processes.
        tokens: The tokens of each source, in the order of the group.
        leaks: The leaks of the corpus.

    Returns:
        For each source a stage without its leaks, or the same reference if it has none.
    """
    store, leaks_folder = Store(home), leaks.fetch()
    return [
        _screen(store, source, each, read_leaks(leaks_folder, source.name))
        for source, each in zip(group.sources, tokens, strict=True)
    ]


def _screen(store: Store, source: Source, tokens: Reference, leaks: pa.Table) -> Reference:
    if not leaks.num_rows:
        return tokens

    def write(folder: Path) -> dict[str, int]:
        return write_screened(tokens.fetch(), leaks, folder)

    return store.get_or_write(screened_stage(source, tokens.fingerprint, leaks), write)
