"""Promotion in a run: by its rules, or by a person whom the page of the run asks.

A run that asks suspends itself: its process ends, and Prefect shows a form. Submitting it starts the run in
a new process, which finds its stages done and reads the answer. Its page stays as it is however often workers
and server restart meanwhile. A run of `expire-approval` is scheduled for the time when nobody is waited for
any longer.

    return promotion_state(config, run_id, published)
"""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from prefect import runtime, suspend_flow_run
from prefect.deployments import run_deployment
from prefect.input import RunInput
from prefect.states import Completed
from pydantic import ValidationError

from flows.check_candidate import check_candidate
from flows.outcomes import AWAITING_APPROVAL, NOT_PROMOTED, PROMOTED, REFUSED
from flows.subflows import run_stage
from metamapping.config.schema import RunConfig
from metamapping.runs.gate import Decision
from metamapping.runs.promotion import Answer
from tasks.promotion import apply_person, apply_promotion_rules
from tasks.summary import show_run

_KEY = "approval"  # of the suspension: a run that asks by the same key again finds the answer
# Prefect itself would fail the run. It must not come before `expire-approval`, which may wait for a worker.
_GRACE_HOURS = 24 * 30


def promotion_state(config: RunConfig, run_id: str, published: str) -> str:
    """Decide whether what a run has published goes into production; the result is the run's final state.

    Args:
        config: The configuration of the run.
        run_id: ID of a run that has published.
        published: Folder or address of the published encoder.

    Raises:
        Pause: A person is asked: the process ends, and the run continues with the answer.
    """
    decision = run_stage(check_candidate, "check", after=published, run_id=run_id, home=config.home)
    state, sentence = apply_promotion_rules(
        config.home, run_id, decision, f"Prefect run {runtime.flow_run.name}"
    )
    show_run(config.home, run_id, decision)
    name = {"promoted": PROMOTED, "refused": NOT_PROMOTED, "waiting": AWAITING_APPROVAL}[state]
    if state == "waiting" and runtime.deployment.id is not None:
        answer = ask(config, run_id, Decision.model_validate(decision))
        state, sentence = apply_person(config.home, run_id, decision, answer)
        show_run(config.home, run_id, decision)
        name = PROMOTED if state == "promoted" else REFUSED
    return cast(str, Completed(name=name, message=f"{sentence} Published: {published}", data=published))


def ask(config: RunConfig, run_id: str, decision: Decision) -> dict[str, Any]:
    """Ask a person on the page of the run, and return the answer once there is one.

    Args:
        config: The configuration of the run.
        run_id: ID of the candidate.
        decision: What the rules say, which the form shows.

    Raises:
        Pause: There is no answer yet: the process ends.
    """
    hours = config.promotion.approval_hours
    run_deployment(
        "expire-approval/expire-approval",
        parameters={"run_id": run_id, "waiting": runtime.flow_run.id, "home": config.home},
        scheduled_time=datetime.now(UTC) + timedelta(hours=hours),
        idempotency_key=f"{runtime.flow_run.id}:expire-approval",
        as_subflow=False,
        timeout=0,
    )
    form = RunInput.subclass_from_base_model_type(Answer).with_initial_data(
        description=f"Put {run_id} into production?\n\n{decision.markdown()}\n\nWithout an answer within "
        f"{hours:g} hours it is not promoted."
    )
    for attempt in itertools.count(1):
        key = f"{_KEY}-{attempt}"
        try:
            answer = suspend_flow_run(
                wait_for_input=form, key=key, timeout=int((hours + _GRACE_HOURS) * 3600)
            )
        except ValidationError:  # it has asked by this key, and was cancelled and retried without an answer
            continue
        break
    return answer_of(answer)


def answer_of(form: RunInput) -> dict[str, Any]:
    """Return the fields of a submitted form as JSON.

    Args:
        form: The form.
    """
    return {name: getattr(form, name) for name in Answer.model_fields}
