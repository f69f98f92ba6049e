"""`metamapping follow`: what it refuses, without TensorFlow and without another machine."""

import json

import pytest

from tests.cli.command import run_cli

CLUSTER = {"cluster": {"worker": ["127.0.0.1:1", "127.0.0.1:2"]}, "task": {"type": "worker", "index": 1}}


@pytest.mark.parametrize("arguments", [(), ("--run", "large-1f0c3a77b2d94e61")])
def test_without_a_configuration_the_folder_of_the_run_is_needed(arguments, monkeypatch, capsys):
    monkeypatch.setenv("TF_CONFIG", json.dumps(CLUSTER))
    assert run_cli("follow", *arguments) == 2
    assert "give CONFIG, the YAML file that the chief runs, or the run's folder" in capsys.readouterr().err


def test_a_machine_that_is_in_no_cluster_is_told_what_tf_config_looks_like(monkeypatch, capsys):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    assert run_cli("follow", "--run", "s3://team/home/runs/large-1f0c3a77b2d94e61") == 2
    assert 'expected {"cluster": {"worker": ["host:port", ...]}' in capsys.readouterr().err
