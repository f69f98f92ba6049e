"""Find the texts that are trained on and also held out."""

from prefect import task
from prefect.cache_policies import NO_CACHE

from metamapping.config.corpus import DuplicateSpec, LeakageSpec
from metamapping.config.sources import Source
from metamapping.corpus import stages as library
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
    return library.find_leaks(Store(home), sources, examples, spec, duplicates)
