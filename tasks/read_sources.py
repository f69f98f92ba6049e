"""Read sources into records."""

from pathlib import Path

from prefect import task
from prefect.cache_policies import NO_CACHE

from metamapping.config.sources import Source
from metamapping.corpus.records import records_stage, write_records
from metamapping.corpus.source_groups import SourceGroup
from metamapping.storage.artifacts import Reference, Store
from tasks.row_progress import show_rows


@task(task_run_name="read {group.name}", cache_policy=NO_CACHE, persist_result=False)
def read_sources(home: str, group: SourceGroup) -> list[Reference]:
    """Read the records of each source: its rows, unchanged and in one format.

    Args:
        home: Folder or address of the store.
        group: The sources that this task run processes.

    Returns:
        The records of each source, in the order of the group.
    """
    store = Store(home)
    return [_read(store, source) for source in group.sources]


def _read(store: Store, source: Source) -> Reference:
    def write(folder: Path) -> dict[str, int]:
        with show_rows(f"read {source.name}") as on_progress:
            return write_records(source, folder, on_progress=on_progress)

    return store.get_or_write(records_stage(source), write)
