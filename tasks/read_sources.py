"""Read sources into records."""

from prefect import task
from prefect.cache_policies import NO_CACHE

from metamapping.config.sources import Source
from metamapping.corpus.records import records_stage, write_records
from metamapping.corpus.source_groups import Parcel
from metamapping.storage.artifacts import Reference, Store
from tasks.row_progress import show_rows


@task(task_run_name="read {parcel.name}", cache_policy=NO_CACHE, persist_result=False)
def read_sources(home: str, parcel: Parcel) -> list[Reference]:
    """Each source's records: as they are, in one format."""
    return [_read(Store(home), source) for source in parcel.sources]


def _read(store: Store, source: Source) -> Reference:
    stage = records_stage(source)
    if (done := store.find(stage)) is not None:
        return done
    with store.write(stage) as draft, show_rows(f"read {source.name}") as on_progress:
        draft.counts.update(write_records(source, draft.folder, on_progress=on_progress))
    return store.find(stage)
