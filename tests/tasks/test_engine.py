"""An invalid engine is rejected before anything runs, and the engine does not influence the result."""

import sys

import pytest

from metamapping.config.engine import EngineSpec
from metamapping.config.schema import RunConfig
from metamapping.errors import ConfigError
from metamapping.runs.folder import run_id
from tasks.engine import check_engine


@pytest.mark.parametrize("runner", ["dask", "ray"])
def test_a_runner_without_its_extra_is_rejected_with_what_to_install(runner, monkeypatch):
    monkeypatch.setitem(sys.modules, f"prefect_{runner}", None)
    with pytest.raises(ConfigError, match=rf"pip install 'metamapping\[app,{runner}\]'"):
        check_engine(EngineSpec(runner=runner))
    check_engine(EngineSpec(runner="processes"))


@pytest.mark.parametrize(
    ("engine", "message"),
    [
        ({"runner": "processes", "address": "tcp://a:1"}, "the runner 'processes' has none"),
        ({"runner": "dask", "address": "tcp://a:1", "num_workers": 2}, "drop one of them"),
        ({"runner": "dask", "address": "tcp://me:secret@a:1"}, "holds credentials"),
        ({"runner": "processes", "evaluate": True}, "'processes' has this machine alone"),
    ],
)
def test_a_contradictory_engine_is_rejected(engine, message):
    with pytest.raises(ValueError, match=message):
        EngineSpec.model_validate(engine)


def test_the_id_of_a_run_does_not_depend_on_the_engine():
    config = {
        "name": "toy",
        "encoder": {"scratch": {}},
        "sources": [
            {"name": role, "role": role, "task_type": "text-classification", "files": [f"{role}.csv"]}
            for role in ("train", "validation", "test")
        ],
    }
    plain = RunConfig.model_validate(config)
    elsewhere = RunConfig.model_validate({**config, "engine": {"runner": "ray", "num_workers": 4}})
    assert run_id(plain, ["a"]) == run_id(elsewhere, ["a"])
