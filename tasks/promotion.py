"""The tasks that decide about a published encoder: compare it with production, promote, refuse, roll back."""

from __future__ import annotations

from typing import Any

from prefect import task
from prefect.artifacts import create_markdown_artifact
from prefect.cache_policies import NO_CACHE

from metamapping.runs.folder import RunFolder
from metamapping.runs.gate import Decision
from metamapping.runs.progress import count_sources
from metamapping.runs.promotion import (
    Answer,
    apply_answer,
    apply_rules,
    check_promotion,
    describe_promotion,
    expire,
)
from metamapping.runs.registry import Registry
from metamapping.runs.suspicions import HELD_OUT
from metamapping.runs.tracking import TrackedRegistry
from metamapping.storage import remote
from tasks.artifacts import artifact_key, shown_card
from tasks.headline import with_headline
from tasks.progress import show_progress


@task(task_run_name="compare {run_id} with production", cache_policy=NO_CACHE, tags=["promotion"])
def compare_with_production(home: str, run_id: str, by: str) -> dict[str, Any]:
    """Compare a published run with the one in production, with comparison and model card as artifacts.

    Args:
        home: Folder or address of the store and the runs.
        run_id: ID of a run that has published and about which nothing is decided.
        by: Who does it, for the history.

    Returns:
        The decision of the rules as JSON.
    """
    run = RunFolder(home, run_id)
    sources = [source.name for role in HELD_OUT for source in run.config.sources_with(role)]
    with show_progress("comparing with production", total=len(sources)) as work:
        decision = check_promotion(run, by=by, on_progress=count_sources(work, sources))
    if decision is None:  # a stage that is run again by hand
        decision = _decided(run)
    create_markdown_artifact(
        key=artifact_key("promotion", run_id),
        markdown=decision.markdown(),
        description=f"{run_id} against production: {decision.sentence}",
    )
    create_markdown_artifact(
        key=artifact_key("model-card", run_id),
        markdown=shown_card(remote.open_folder(run.published)),
        description=f"The candidate: {remote.place_of(run.published)}",
    )
    headline = "better than production" if decision.is_allowed else "not better"
    return with_headline(decision.model_dump(mode="json"), headline)


@task(task_run_name="apply the rules to {run_id}", cache_policy=NO_CACHE, tags=["promotion"])
def apply_promotion_rules(home: str, run_id: str, decision: dict[str, Any], by: str) -> tuple[str, str]:
    """Promote or refuse a candidate as far as the rules decide.

    Args:
        home: Folder or address of the store and the runs.
        run_id: ID of the candidate.
        decision: What the rules say, as JSON.
        by: Who applies them, for the history.

    Returns:
        What became of it (`promoted`, `refused` or `waiting`), and why.
    """
    run = RunFolder(home, run_id)
    result = apply_rules(run, Decision.model_validate(decision), by=by)
    return result.state, f"{describe_promotion(result, run_id)} {result.sentence}"


@task(task_run_name="apply the answer about {run_id}", cache_policy=NO_CACHE, tags=["promotion"])
def apply_person(home: str, run_id: str, decision: dict[str, Any], answer: dict[str, Any]) -> tuple[str, str]:
    """Promote or refuse a candidate as a person says.

    Args:
        home: Folder or address of the store and the runs.
        run_id: ID of the candidate.
        decision: What the rules say, as JSON.
        answer: What the person says, as JSON.

    Returns:
        What became of it (`promoted` or `refused`), and why.
    """
    run = RunFolder(home, run_id)
    result = apply_answer(run, Decision.model_validate(decision), Answer.model_validate(answer))
    return result.state, f"{describe_promotion(result, run_id)} {result.sentence}"


@task(task_run_name="promote {run_id}", cache_policy=NO_CACHE, tags=["promotion"])
def put_into_production(home: str, run_id: str, why: str, by: str) -> str:
    """Put a run into production, whatever the rules say, and return a sentence about it.

    Args:
        home: Folder or address of the store and the runs.
        run_id: ID of a published run, or `candidate`.
        why: The reason, one sentence.
        by: Who decides.
    """
    registry = TrackedRegistry(home)
    before = registry.production
    entry = registry.promote(registry.aliases.get(run_id, run_id), why=why, by=by)
    return f"{entry.production} is in production. Before: {before or 'none'}. {by}: {why}"


@task(task_run_name="roll back", cache_policy=NO_CACHE, tags=["promotion"])
def roll_production_back(home: str, why: str, by: str) -> str:
    """Put the run back into production that was there before, and return a sentence about it.

    Args:
        home: Folder or address of the store and the runs.
        why: The reason, one sentence.
        by: Who decides.
    """
    registry = TrackedRegistry(home)
    left = registry.production
    entry = registry.rollback(why=why, by=by)
    return f"{entry.production} is in production again, instead of {left}. {by}: {why}"


@task(task_run_name="give up waiting about {run_id}", cache_policy=NO_CACHE, tags=["promotion"])
def give_up(home: str, run_id: str, by: str) -> str:
    """Note that nobody has decided about a candidate in time, and return a sentence about it.

    Args:
        home: Folder or address of the store and the runs.
        run_id: ID of the candidate.
        by: Who notes it, for the history.
    """
    return expire(RunFolder(home, run_id), by=by).sentence


def _decided(run: RunFolder) -> Decision:
    """What was decided about a run before, so that a stage which is run again shows it."""
    entry = Registry(run.path.parent.parent).decision(run.run_id)
    assert entry is not None, "nothing else leaves nothing to be decided"
    return Decision(
        candidate=run.run_id,
        production=entry.production,
        is_allowed=entry.action == "promote",
        sentence=f"Decided before by {entry.by}: {entry.why}",
    )
