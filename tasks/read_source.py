"""Read a source into records."""

from prefect import task
from prefect.cache_policies import NO_CACHE

from metamapping.config import Source
from metamapping.corpus.sources import records_stage, write_records
from metamapping.store import Reference, Store
from tasks.row_progress import show_rows


@task(task_run_name="read {source.name}", cache_policy=NO_CACHE, persist_result=False)
def read_source(home: str, source: Source) -> Reference:
    """The source's records: as they are, in one format."""
    store, stage = Store(home), records_stage(source)
    if (done := store.find(stage)) is not None:
        return done
    with store.write(stage) as draft, show_rows(f"read {source.name}") as on_progress:
        draft.counts.update(write_records(source, draft.folder, on_progress=on_progress))
    return store.find(stage)
