"""Promotion: what becomes of a published encoder, by the rules of its run's configuration.

The run becomes the candidate, is compared with production (``gate``), and is promoted, refused, or waits for
a person. Everything is written into the registry, with the reason in one sentence.

    decision = check_promotion(run)              # None: nothing is to be decided
    result = apply_rules(run, decision, by="night")
    result.state, result.sentence                # "promoted", "Better than production: …"
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from pydantic import BaseModel, Field

from metamapping.errors import ConfigError
from metamapping.runs.folder import RunFolder
from metamapping.runs.gate import Decision, check_candidate
from metamapping.runs.measuring import TextsCallback
from metamapping.runs.registry import Registry
from metamapping.runs.tracking import TrackedRegistry


class Answer(BaseModel):
    """What a person says about a candidate; the form on the page of a run is made of it.

    Attributes:
        decision: ``promote`` the candidate or ``refuse`` it.
        reason: Why, for the history.
        by: Who decides, for the history.
    """

    # Not a choice from a list: in the forms of Prefect's older interface, a list closes as it is opened.
    decision: str = Field(
        pattern="^(promote|refuse)$",
        description="Write `promote` to put the candidate into production, or `refuse` to leave production "
        "as it is.",
    )
    reason: str = Field("", description="Why, for the history.")
    by: str = Field(min_length=1, description="Your name, for the history.")


class Promotion(NamedTuple):
    """What became of a candidate.

    Attributes:
        state: It is in production now, it is not, or it waits for a person.
        sentence: Why.
    """

    state: Literal["promoted", "refused", "waiting"]
    sentence: str


def is_undecided(run: RunFolder) -> bool:
    """Whether a run that has published is still to be promoted or refused, by its own configuration.

    Args:
        run: A run that has published.
    """
    if run.config.promotion.mode == "never":
        return False
    return _registry(run).decision(run.run_id) is None


def check_promotion(run: RunFolder, *, by: str, on_progress: TextsCallback | None = None) -> Decision | None:
    """Make a run the candidate, and compare it with production.

    Args:
        run: A run that has published.
        by: Who does it, for the history.
        on_progress: Called with a source's name and the number of texts just encoded.

    Returns:
        What the rules say; ``None`` if nothing is to be decided.

    Raises:
        StoreError: A file of one of the runs is damaged.
        ValueError: The runs cannot be compared.
    """
    if not is_undecided(run):
        return None
    registry = _registry(run)
    if registry.candidate != run.run_id:
        registry.propose(run.run_id, why="it has published", by=by)
    production = registry.production
    return check_candidate(
        run, None if production is None else RunFolder(registry.home, production), on_progress=on_progress
    )


def apply_rules(run: RunFolder, decision: Decision, *, by: str) -> Promotion:
    """Promote or refuse a candidate as far as the rules decide, and write that into the registry.

    Args:
        run: The candidate.
        decision: What the rules say.
        by: Who applies them, for the history.

    Returns:
        What became of it; refused also if another run was promoted since the comparison.
    """
    if not decision.is_allowed:
        _registry(run).refuse(run.run_id, why=decision.sentence, by=by)
        return Promotion("refused", decision.sentence)
    if run.config.promotion.mode == "approval":
        return Promotion("waiting", decision.sentence)
    return _promote(run, decision, why=decision.sentence, by=by, sentence=decision.sentence)


def apply_answer(run: RunFolder, decision: Decision, answer: Answer) -> Promotion:
    """Promote or refuse a candidate as a person says, and write that into the registry.

    Args:
        run: The candidate.
        decision: What the rules say, which the person has seen.
        answer: What the person says.

    Returns:
        What became of it; refused also if another run was promoted since the comparison.
    """
    why = answer.reason.strip() or decision.sentence
    if answer.decision == "promote":
        return _promote(run, decision, why=why, by=answer.by, sentence=f"Approved by {answer.by}: {why}")
    why = answer.reason.strip() or "no reason given"
    _registry(run).refuse(run.run_id, why=why, by=answer.by)
    return Promotion("refused", f"Refused by {answer.by}: {why}")


def expire(run: RunFolder, *, by: str) -> Promotion:
    """Note that nobody has decided about a candidate in time.

    Args:
        run: The candidate.
        by: Who notes it, for the history.
    """
    hours = run.config.promotion.approval_hours
    sentence = (
        f"Nobody has answered within {hours:g} hours: {run.run_id} is not promoted. `metamapping promote "
        f"{run.run_id}` and the deployment `promote` still can."
    )
    _registry(run).refuse(run.run_id, why=sentence, by=by, action="expire")
    return Promotion("refused", sentence)


def describe_promotion(promotion: Promotion, run_id: str) -> str:
    """Say in a few words what became of a candidate.

    Args:
        promotion: What became of it.
        run_id: ID of the candidate.
    """
    if promotion.state == "waiting":
        return f"{run_id} waits for approval: `metamapping promote {run_id}`."
    return f"{run_id} is {'' if promotion.state == 'promoted' else 'not '}in production."


def _promote(run: RunFolder, decision: Decision, *, why: str, by: str, sentence: str) -> Promotion:
    registry = _registry(run)
    try:
        registry.promote(run.run_id, why=why, by=by, instead_of=decision.production)
    except ConfigError as error:  # the comparison does not hold any more
        registry.refuse(run.run_id, why=str(error), by=by)
        return Promotion("refused", str(error))
    return Promotion("promoted", sentence)


def _registry(run: RunFolder) -> Registry:
    return TrackedRegistry(run.path.parent.parent)
