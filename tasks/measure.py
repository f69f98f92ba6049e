"""The tasks that measure held-out sources on the workers of the engine, several at once."""

from __future__ import annotations

from typing import Any

from prefect import task
from prefect.cache_policies import NO_CACHE

from metamapping.config.sources import Role
from metamapping.runs.folder import RunFolder
from metamapping.runs.measuring import Measure, Measured, TextsCallback, measure_sources
from tasks.engine import run_on_engine
from tasks.retries import may_go_away


@task(
    task_run_name="measure {source}, round {round_number}",
    cache_policy=NO_CACHE,
    persist_result=False,
    retries=1,
    retry_delay_seconds=5,
    retry_condition_fn=may_go_away,
    tags=["evaluate"],
)
def measure_source(home: str, run_id: str, round_number: int, role: Role, source: str) -> dict[str, Any]:
    """Measure a round's checkpoint on one held-out source.

    Args:
        home: Folder or address of the store and the runs, which every worker reaches.
        run_id: ID of the run.
        round_number: A round with a checkpoint; 0 is the encoder before meta-training.
        role: ``validation`` or ``test``.
        source: Name of the source.

    Returns:
        The scores as JSON.
    """
    return measure_sources(RunFolder(home, run_id), round_number, role, only={source}).model_dump(mode="json")


def measure_of(home: str, run: RunFolder) -> Measure | None:
    """Return what measures the held-out sources of a run where its configuration says.

    Args:
        home: Folder or address of the store and the runs.
        run: An opened run.

    Returns:
        A function that measures on the engine; ``None`` for this process.
    """
    engine = run.config.engine
    if not engine.evaluate:
        return None

    def measure_on_engine(
        run: RunFolder, round: int, role: Role, on_progress: TextsCallback | None
    ) -> Measured:
        sources = [source.name for source in run.config.sources_with(role)]

        def submit_and_wait() -> list[Measured]:
            futures = [measure_source.submit(home, run.run_id, round, role, source) for source in sources]
            parts = []
            for source, future in zip(sources, futures, strict=True):
                if on_progress is not None:
                    on_progress(source, 0)
                parts.append(Measured.model_validate(future.result()))
            return parts

        parts = run_on_engine(engine, submit_and_wait)
        return Measured(
            cells=[cell for part in parts for cell in part.cells],
            failures=[failures for part in parts for failures in part.failures],
        )

    return measure_on_engine
