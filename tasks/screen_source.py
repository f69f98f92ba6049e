"""Screen a source: its tokens without the rows that leak."""

from prefect import task
from prefect.cache_policies import NO_CACHE

from metamapping.config import Source
from metamapping.corpus.leakage import read_leaks
from metamapping.corpus.screening import screened_stage, write_screened
from metamapping.store import Reference, Store


@task(task_run_name="screen {source.name}", cache_policy=NO_CACHE, persist_result=False)
def screen_source(home: str, source: Source, tokens: Reference, leaks: Reference) -> Reference:
    """The source's tokens as they are if nothing leaks, else without what does."""
    store, found = Store(home), read_leaks(leaks.folder, source.name)
    if not found.num_rows:
        return tokens
    stage = screened_stage(source, tokens.fingerprint, found)
    if (done := store.find(stage)) is not None:
        return done
    with store.write(stage) as draft:
        draft.counts.update(write_screened(tokens.folder, found, draft.folder))
    return store.find(stage)
