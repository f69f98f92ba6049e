"""Refuse sources that cannot be read, before anything runs."""

from prefect import task
from prefect.cache_policies import NO_CACHE

from metamapping.config import Source
from metamapping.corpus import sources as library
from metamapping.store import Store


@task(task_run_name="check sources", cache_policy=NO_CACHE, persist_result=False)
def check_sources(home: str, sources: list[Source]) -> None:
    """Open each source that was not read before; raises ``ConfigError`` for all that are refused."""
    store = Store(home)
    library.check_sources([each for each in sources if store.find(library.records_stage(each)) is None])
