"""The configurations of a general encoder, on hub data sets and on the data of the benchmarks."""

import os
from pathlib import Path

import pytest

from metamapping.config.loading import read_config

ROOT = Path(__file__).parents[2]
TASK_TYPES = {"ner", "sentiment-analysis", "text-classification"}


def test_the_hub_configuration_loads_without_a_network_and_states_every_license(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    config = read_config(ROOT / "configs" / "general.yaml")
    assert {source.task_type for source in config.sources_with("train")} == TASK_TYPES
    assert all(source.hub is not None and source.licence for source in config.sources)


def test_no_hub_data_set_that_is_trained_on_is_tested_on():
    config = read_config(ROOT / "configs" / "general.yaml")
    trained, tested = ({s.hub.path for s in config.sources_with(role)} for role in ("train", "test"))
    assert not trained & tested


def test_the_benchmarks_configuration_trains_on_all_task_types_and_tests_on_twenty_sources(
    monkeypatch, tmp_path
):
    if "METAMAPPING_DATA" not in os.environ:
        pytest.skip("METAMAPPING_DATA is not set: the folder with the real sources")
    monkeypatch.setenv("METAMAPPING_ENCODER", str(tmp_path))
    config = read_config(ROOT / "benchmarks" / "general.yaml")
    assert {source.task_type for source in config.sources_with("train")} == TASK_TYPES
    tests = [source for source in config.sources_with("test") if source.task_type != "ner"]
    assert len(tests) >= 20
    topics = {
        role: [s for s in config.sources_with(role) if s.name.startswith("topics-")]
        for role in ("train", "validation")
    }
    assert all(topics.values())
