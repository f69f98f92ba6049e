"""Refuse sources that cannot be read, before anything runs."""

from prefect import task
from prefect.cache_policies import NO_CACHE

from metamapping.config.sources import Source
from metamapping.corpus import records as library


@task(task_run_name="check sources", cache_policy=NO_CACHE, persist_result=False)
def check_sources(home: str, sources: list[Source]) -> None:
    """Open each source that was not read before; raises ``ConfigError`` for all that are refused."""
    library.check_sources(home, sources)
