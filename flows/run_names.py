"""Names and tags of flow runs: what a list of runs shows of them.

A run that Prefect has named by chance (`fiery-otter`), or that its parent has started, is named by what it
does, and when a stage has completed, also by what it has found: `evaluate demo-1f0c… round 2: 0.583`. A name
that a person has typed in the form is kept.

    @flow(flow_run_name=name_run("meta-pretrain {config.name}"), on_completion=[add_headline])
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from uuid import UUID

from prefect import Flow, State, get_client
from prefect.client.schemas.objects import FlowRun
from prefect.context import FlowRunContext

from tasks.headline import HEADLINE

# Prefect names a run by an adjective and a noun, and its UI by two words such as `rho5-bajor`.
_BY_CHANCE = re.compile(r"[a-z0-9]+(-[a-z0-9]+)+")
# What follows in the name of a run that was named by what it does, and is run again.
_REST = re.compile(r"(?P<given>( \([a-z0-9-]+\))?)(: .*)?")

_is_named: set[UUID] = set()  # the flow runs of this process that were named by what they do


def name_run(template: str) -> Callable[[], str]:
    """Return a function that Prefect calls for the name of a flow run.

    Args:
        template: The name, filled with the flow's parameters.
    """

    def name() -> str:
        context = FlowRunContext.get()
        assert context is not None, "called by Prefect within a flow run"
        assert context.flow_run is not None, "only asynchronous flows may have none"
        run = context.flow_run
        is_child = run.parent_task_run_id is not None
        parameters = context.parameters or {}
        chosen = choose_name(run.name, template, parameters, is_started_by_parent=is_child)
        if chosen.startswith(template.format(**parameters)):
            _is_named.add(run.id)
        return chosen

    return name


def choose_name(given: str, template: str, parameters: dict[str, Any], *, is_started_by_parent: bool) -> str:
    """Choose the name of a flow run.

    Args:
        given: The name that the run was created with.
        template: The name of a run that nobody has named, filled with the flow's parameters.
        parameters: The flow's parameters.
        is_started_by_parent: Whether another flow run has started this one.

    Returns:
        The name. If only the form of the given one looks like chance, it is kept in brackets.
    """
    what = template.format(**parameters)
    if is_started_by_parent:
        return what
    if _BY_CHANCE.fullmatch(given):
        return f"{what} ({given})"
    if given.startswith(what) and (rest := _REST.fullmatch(given.removeprefix(what))):
        return f"{what}{rest['given']}"
    return given


def add_headline(flow: Flow[..., Any], flow_run: FlowRun, state: State) -> None:
    """An ``on_completion`` hook: add what a stage has found to its name, unless a person has named it."""
    result = state.result(raise_on_failure=False)
    if flow_run.id not in _is_named or not isinstance(result, dict) or HEADLINE not in result:
        return
    with get_client(sync_client=True) as client:
        client.update_flow_run(flow_run.id, name=f"{flow_run.name}: {result[HEADLINE]}")


def add_outcome(flow: Flow[..., Any], flow_run: FlowRun, state: State) -> None:
    """An ``on_completion`` hook: add to the name of a main run what came out of it, as ``no improvement``.

    Prefect colours a state by its type alone, and all outcomes are completed runs: their badges are green.
    """
    words = _words_of(state.name or "")
    if flow_run.id in _is_named and words != "completed":
        with get_client(sync_client=True) as client:
            client.update_flow_run(flow_run.id, name=f"{flow_run.name}: {words}")


def _words_of(name: str) -> str:
    """``no improvement`` for the state ``NoImprovement``."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower()


def tag_with_run(flow_run: FlowRun) -> None:
    """Tag the flow run of a stage with ``run:<id>``; part of its ``on_running`` hook."""
    run_id = flow_run.parameters.get("run_id")
    if isinstance(run_id, str):
        add_tag(flow_run.id, f"run:{run_id}")


def add_tag(flow_run_id: UUID, tag: str) -> None:
    """Add a tag to a flow run, unless it has it.

    Args:
        flow_run_id: ID of the flow run.
        tag: The tag.
    """
    with get_client(sync_client=True) as client:
        tags = client.read_flow_run(flow_run_id).tags
        if tag not in tags:
            client.update_flow_run(flow_run_id, tags=[*tags, tag])
