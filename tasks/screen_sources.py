"""Screen sources: their tokens without the rows that leak."""

from prefect import task
from prefect.cache_policies import NO_CACHE

from metamapping.config.sources import Source
from metamapping.corpus.leakage import read_leaks
from metamapping.corpus.screening import screened_stage, write_screened
from metamapping.corpus.source_groups import Parcel
from metamapping.storage.artifacts import Reference, Store


@task(task_run_name="screen {parcel.name}", cache_policy=NO_CACHE, persist_result=False)
def screen_sources(home: str, parcel: Parcel, tokens: list[Reference], leaks: Reference) -> list[Reference]:
    """Each source's tokens as they are if nothing leaks, else without what does."""
    store = Store(home)
    return [_screen(store, source, each, leaks) for source, each in zip(parcel.sources, tokens, strict=True)]


def _screen(store: Store, source: Source, tokens: Reference, leaks: Reference) -> Reference:
    found = read_leaks(leaks.folder, source.name)
    if not found.num_rows:
        return tokens
    stage = screened_stage(source, tokens.fingerprint, found)
    if (done := store.find(stage)) is not None:
        return done
    with store.write(stage) as draft:
        draft.counts.update(write_screened(tokens.folder, found, draft.folder))
    return store.find(stage)
