"""Find the texts that are trained on and also held out."""

from prefect import task
from prefect.cache_policies import NO_CACHE

from metamapping.config.corpus import DuplicateSpec, LeakageSpec
from metamapping.config.sources import Source
from metamapping.corpus.leakage import leaks_stage, write_leaks
from metamapping.storage.artifacts import Reference, Store


@task(task_run_name="find leaks", cache_policy=NO_CACHE, persist_result=False)
def find_leaks(
    home: str,
    sources: list[Source],
    examples: list[Reference],
    spec: LeakageSpec,
    duplicates: DuplicateSpec,
) -> Reference:
    """The leaks of all sources into each other, by their roles."""
    store = Store(home)
    stage = leaks_stage(sources, [each.fingerprint for each in examples], spec, duplicates)
    if (done := store.find(stage)) is not None:
        return done
    with store.write(stage) as draft:
        folders = [each.folder for each in examples]
        draft.counts.update(write_leaks(sources, folders, spec, duplicates, draft.folder))
    return store.find(stage)
