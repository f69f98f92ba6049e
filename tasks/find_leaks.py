"""Find the texts that are trained on and also held out."""

from pathlib import Path

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
    """Find the leaks between all sources, according to their roles.

    Args:
        home: Folder or address of the store.
        sources: All sources of the corpus.
        examples: The examples of each source, in the same order.
        spec: Whether leaks are searched for.
        duplicates: When two texts count as nearly equal.

    Returns:
        The leaks of the corpus.
    """

    def write(folder: Path) -> dict[str, int]:
        folders = [each.fetch() for each in examples]
        return write_leaks(sources, folders, spec, duplicates, folder)

    stage = leaks_stage(sources, [each.fingerprint for each in examples], spec, duplicates)
    return Store(home).get_or_write(stage, write)
