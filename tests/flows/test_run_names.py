"""What flow runs are called, and what they are tagged with."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import pytest

from flows import run_names
from flows.run_names import add_headline, add_outcome, choose_name, tag_with_run

TEMPLATE = "train {run_id} round {round}"
PARAMETERS = {"run_id": "demo-1", "round": 2}


@pytest.mark.parametrize(
    ("given", "is_started_by_parent", "name"),
    [
        ("my first try", False, "my first try"),
        ("Nightly 2026-11-28", False, "Nightly 2026-11-28"),
        ("fiery-otter", False, "train demo-1 round 2 (fiery-otter)"),
        ("rho5-bajor", False, "train demo-1 round 2 (rho5-bajor)"),
        ("train demo-1 round 2 (fiery-otter)", False, "train demo-1 round 2 (fiery-otter)"),  # retried
        ("train demo-1 round 2 (fiery-otter): loss 0.812", False, "train demo-1 round 2 (fiery-otter)"),
        ("train demo-1 round 2: again", False, "train demo-1 round 2"),
        ("train demo-1 round 2 by ann", False, "train demo-1 round 2 by ann"),
        ("train round 2", True, "train demo-1 round 2"),
        ("fiery-otter", True, "train demo-1 round 2"),
    ],
)
def test_a_name_that_a_person_has_typed_is_kept(given: str, is_started_by_parent: bool, name: str) -> None:
    assert choose_name(given, TEMPLATE, PARAMETERS, is_started_by_parent=is_started_by_parent) == name


class Client:
    """A client of a server that knows one run."""

    def __init__(self, *tags: str) -> None:
        self.tags, self.name = list(tags), ""

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def read_flow_run(self, run_id: UUID) -> Any:
        return SimpleNamespace(tags=self.tags)

    def update_flow_run(self, run_id: UUID, tags: list[str] | None = None, name: str = "") -> None:
        self.tags = self.tags if tags is None else tags
        self.name = name


@pytest.mark.parametrize(
    ("tags", "parameters", "after"),
    [
        (["stage"], PARAMETERS, ["stage", "run:demo-1"]),  # started by hand
        (["stage", "run:demo-1"], PARAMETERS, ["stage", "run:demo-1"]),  # by its parent
        (["stage"], {"config": {}}, ["stage"]),  # no run is opened yet
    ],
)
def test_a_stage_is_tagged_with_its_run(
    tags: list[str], parameters: dict[str, Any], after: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    client = Client(*tags)
    monkeypatch.setattr(run_names, "get_client", lambda **_: client)
    tag_with_run(SimpleNamespace(id=uuid4(), parameters=parameters))
    assert client.tags == after


@pytest.mark.parametrize(
    ("hook", "result", "is_named", "name"),
    [
        (add_headline, {"headline": "0.583"}, True, "evaluate demo-1 round 2: 0.583"),
        (add_headline, {"headline": "0.583"}, False, ""),  # by a person
        (add_headline, "a folder", True, ""),
        (add_outcome, "a folder", True, "evaluate demo-1 round 2: no improvement"),
        (add_outcome, "a folder", False, ""),
    ],
)
def test_the_name_of_a_completed_run_says_what_came_out(
    hook: Any, result: Any, is_named: bool, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, run = Client(), SimpleNamespace(id=uuid4(), name="evaluate demo-1 round 2")
    monkeypatch.setattr(run_names, "get_client", lambda **_: client)
    monkeypatch.setattr(run_names, "_is_named", {run.id} if is_named else set())
    hook(None, run, SimpleNamespace(name="NoImprovement", result=lambda **_: result))
    assert client.name == name


def test_a_run_that_has_just_completed_keeps_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    client, run = Client(), SimpleNamespace(id=uuid4(), name="meta-pretrain demo")
    monkeypatch.setattr(run_names, "get_client", lambda **_: client)
    monkeypatch.setattr(run_names, "_is_named", {run.id})
    add_outcome(None, run, SimpleNamespace(name="Completed"))
    assert client.name == ""
