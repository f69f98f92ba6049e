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


@pytest.mark.parametrize("place", ["s3://team/large-1f0c3a77b2d94e61", "runs-of-others/large"])
def test_a_folder_that_can_be_no_run_is_not_waited_for(place, monkeypatch, capsys):
    monkeypatch.setenv("TF_CONFIG", json.dumps(CLUSTER))
    assert run_cli("follow", "--run", place) == 2
    assert f"{place} is not the folder of a run: give HOME/runs/RUN" in capsys.readouterr().err


def test_a_configuration_and_the_folder_of_a_run_exclude_each_other(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("TF_CONFIG", json.dumps(CLUSTER))
    assert run_cli("follow", tmp_path / "large.yaml", "--run", "home/runs/large") == 2
    assert "with CONFIG give the ID of a run in its `home`" in capsys.readouterr().err


def test_a_machine_that_is_in_no_cluster_is_told_what_tf_config_looks_like(monkeypatch, capsys):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    assert run_cli("follow", "--run", "s3://team/home/runs/large-1f0c3a77b2d94e61") == 2
    assert 'expected {"cluster": {"worker": ["host:port", ...]}' in capsys.readouterr().err
