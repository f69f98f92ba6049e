"""Clean a source: records into examples and rejects."""

from prefect import task
from prefect.cache_policies import NO_CACHE

from metamapping.config import Source
from metamapping.corpus.examples import Rules, examples_stage, write_examples
from metamapping.store import Reference, Store
from tasks.row_progress import show_rows


@task(task_run_name="clean {source.name}", cache_policy=NO_CACHE, persist_result=False)
def clean_source(home: str, source: Source, rules: Rules, records: Reference) -> Reference:
    """The source's examples: cleaned, filtered, each text once."""
    store, stage = Store(home), examples_stage(source, rules, records.fingerprint)
    if (done := store.find(stage)) is not None:
        return done
    with (
        store.write(stage) as draft,
        show_rows(f"clean {source.name}", total=records.counts["rows_out"]) as on_progress,
    ):
        counts = write_examples(source, rules, records.folder, draft.folder, on_progress=on_progress)
        draft.counts.update(counts)
    return store.find(stage)
