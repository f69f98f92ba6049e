"""The deployments that are registered on a server, and their forms; no server is started."""

from __future__ import annotations

import json
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from prefect.flows import load_flow_from_entrypoint
from prefect.input import RunInput
from prefect.utilities.callables import parameter_schema

from deployments.deploy import (
    NIGHTLY,
    describe_schedule,
    set_form_defaults,
)
from deployments.work_pools import LIMITS
from flows.approval import answer_of
from metamapping.config.loading import read_config
from metamapping.runs.promotion import Answer

ROOT = Path(__file__).parents[2]
SNAPSHOT = Path(__file__).parent / "deployments.json"


def registered() -> list[dict[str, Any]]:
    return yaml.safe_load((ROOT / "deployments/prefect.yaml").read_text())["deployments"]


def test_deployments_and_their_forms_match_the_snapshot() -> None:
    """METAMAPPING_SNAPSHOT=write writes the snapshot again."""
    seen = {
        each["name"]: {
            "pool": each["work_pool"]["name"],
            "tags": each["tags"],
            "form": form(each["entrypoint"]),
        }
        for each in registered()
    }
    seen["schedules"] = {"meta-pretraining": {"cron": NIGHTLY.cron, "timezone": NIGHTLY.timezone}}
    if os.environ.get("METAMAPPING_SNAPSHOT") == "write":
        SNAPSHOT.write_text(json.dumps(seen, indent=1) + "\n")
    assert seen == json.loads(SNAPSHOT.read_text()), (
        "if the change is intended, run with METAMAPPING_SNAPSHOT=write and review the diff"
    )


def form(entrypoint: str) -> dict[str, Any]:
    """Each parameter with its type and bounds; a configuration is replaced by its sections."""
    schema = parameter_schema(load_flow_from_entrypoint(entrypoint)).model_dump()
    properties = dict(schema["properties"])
    if "config" in properties:
        properties |= schema["definitions"]["RunConfig"]["properties"]
    kept = ("type", "minimum", "default", "description")
    return {
        name: {key: value for key, value in about.items() if key in kept and not isinstance(value, dict)}
        for name, about in properties.items()
    }


@pytest.mark.parametrize("deployment", registered(), ids=lambda each: each["name"])
def test_a_deployment_has_the_name_under_which_its_parent_starts_it(
    deployment: dict[str, Any],
) -> None:
    assert load_flow_from_entrypoint(deployment["entrypoint"]).name == deployment["name"]
    assert deployment["description"].strip()


def test_no_parent_waits_in_a_pool_with_a_limit() -> None:
    pools = {each["name"]: each["work_pool"]["name"] for each in registered()}
    assert LIMITS[pools["meta-pretraining"]] is None
    assert LIMITS[pools["train-round"]] == 1


def test_redeploying_leaves_schedules_and_parameters_unchanged() -> None:
    assert not any("schedules" in each or "parameters" in each for each in registered())


def test_sources_are_last_in_the_form() -> None:
    main = load_flow_from_entrypoint("flows.meta_pretraining.meta_pretraining")
    fields = parameter_schema(main).model_dump()["definitions"]["RunConfig"]["properties"]
    in_order = sorted(fields, key=lambda name: fields[name]["position"])
    assert in_order[:2] == ["name", "home"]
    assert in_order[-1] == "sources"


def test_every_form_opens_with_the_home_of_the_configuration(tmp_path: Path) -> None:
    config = read_config(ROOT / "configs/demo.yaml").at_home(str(tmp_path))
    schemas = {
        each["name"]: parameter_schema(load_flow_from_entrypoint(each["entrypoint"])).model_dump()
        for each in registered()
    }
    opened: dict[str, Any] = {}
    client = SimpleNamespace(
        read_deployment_by_name=lambda name: SimpleNamespace(
            id=name.partition("/")[0], parameter_openapi_schema=schemas[name.partition("/")[0]]
        ),
        update_deployment=lambda name, update: opened.update({name: update.parameters}),
    )
    set_form_defaults(client, list(schemas), config)
    homes = {name: values.get("config", values)["home"] for name, values in opened.items()}
    assert homes == dict.fromkeys(schemas, str(tmp_path))
    assert opened["prepare-corpus"] == opened["meta-pretraining"]


def test_a_schedule_is_described_with_whether_it_is_on() -> None:
    schedule = SimpleNamespace(schedule=NIGHTLY, active=False)
    assert describe_schedule(schedule) == "0 2 * * * UTC (off)"


def test_the_form_of_an_approval_asks_for_a_decision_and_a_name() -> None:
    form = RunInput.subclass_from_base_model_type(Answer).with_initial_data(description="Better.")
    schema = form.model_json_schema()
    assert schema["required"] == ["decision", "by"]
    assert schema["properties"]["decision"]["pattern"] == "^(promote|refuse)$"
    answer = form(decision="promote", by="bob")
    assert answer_of(answer) == Answer(decision="promote", by="bob").model_dump()
