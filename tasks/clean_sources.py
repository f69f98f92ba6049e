"""Clean sources: records into examples and rejects."""

from pathlib import Path

from prefect import task
from prefect.cache_policies import NO_CACHE

from metamapping.config.sources import Source
from metamapping.corpus.examples import Rules, examples_stage, write_examples
from metamapping.corpus.source_groups import SourceGroup
from metamapping.storage.artifacts import Reference, Store
from tasks.row_progress import show_rows


@task(task_run_name="clean {group.name}", cache_policy=NO_CACHE, persist_result=False)
def clean_sources(home: str, group: SourceGroup, rules: Rules, records: list[Reference]) -> list[Reference]:
    """Make the examples of each source: its records, cleaned, filtered and deduplicated.

    Args:
        home: Folder or address of the store.
        group: The sources that this task run processes.
        rules: How records become examples.
        records: The records of each source, in the order of the group.

    Returns:
        The examples of each source, in the order of the group.
    """
    store = Store(home)
    return [_clean(store, source, rules, read) for source, read in zip(group.sources, records, strict=True)]


def _clean(store: Store, source: Source, rules: Rules, records: Reference) -> Reference:
    def write(folder: Path) -> dict[str, int]:
        with show_rows(f"clean {source.name}", total=records.counts["rows_out"]) as on_progress:
            return write_examples(source, rules, records.fetch(), folder, on_progress=on_progress)

    return store.get_or_write(examples_stage(source, rules, records.fingerprint), write)
