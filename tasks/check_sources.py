"""Check that all sources can be read, before anything else runs."""

from prefect import task
from prefect.cache_policies import NO_CACHE

from metamapping.config.sources import Source
from metamapping.corpus import source_checks as library


@task(task_run_name="check sources", cache_policy=NO_CACHE, persist_result=False)
def check_sources(home: str, sources: list[Source]) -> None:
    """Open each source and check its columns and first rows.

    Args:
        home: Folder or address of the store.
        sources: The sources to check.

    Raises:
        ConfigError: One sentence for each source that cannot be read.
    """
    library.check_sources(home, sources)
