"""Clean sources: records into examples and rejects."""

from prefect import task
from prefect.cache_policies import NO_CACHE

from metamapping.config.sources import Source
from metamapping.corpus.examples import Rules, examples_stage, write_examples
from metamapping.corpus.source_groups import Parcel
from metamapping.storage.artifacts import Reference, Store
from tasks.row_progress import show_rows


@task(task_run_name="clean {parcel.name}", cache_policy=NO_CACHE, persist_result=False)
def clean_sources(home: str, parcel: Parcel, rules: Rules, records: list[Reference]) -> list[Reference]:
    """Each source's examples: cleaned, filtered, each text once."""
    store = Store(home)
    return [_clean(store, source, rules, read) for source, read in zip(parcel.sources, records, strict=True)]


def _clean(store: Store, source: Source, rules: Rules, records: Reference) -> Reference:
    stage = examples_stage(source, rules, records.fingerprint)
    if (done := store.find(stage)) is not None:
        return done
    with (
        store.write(stage) as draft,
        show_rows(f"clean {source.name}", total=records.counts["rows_out"]) as on_progress,
    ):
        counts = write_examples(source, rules, records.folder, draft.folder, on_progress=on_progress)
        draft.counts.update(counts)
    return store.find(stage)
