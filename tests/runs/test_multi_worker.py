"""Several machines that train a round together get the weights of one machine, even if one is killed."""

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from metamapping.errors import ConfigError
from metamapping.runs.folder import RunFolder
from metamapping.runs.multi_worker import follow, train_together, worker_index
from metamapping.runs.round_training import train_stage
from metamapping.runs.stages import initialise_stage, open_run
from tests.runs.test_stages import make_run, weights

SECONDS = 600
TRAINING = {
    "meta_steps": 12,
    "warmup_steps": 1,
    "learning_rate": 1e-3,
    "checkpoint_every_steps": 2,
    "num_batches": 2,
}


def tf_config(index, ports=(1, 2), kind="worker"):
    cluster = {kind: [f"127.0.0.1:{port}" for port in ports]}
    return json.dumps({"cluster": cluster, "task": {"type": kind, "index": index}})


@pytest.mark.parametrize("text", ["", "{", "[]", tf_config(5), tf_config(0, kind="chief")])
def test_a_tf_config_without_a_valid_worker_is_rejected(text, monkeypatch):
    monkeypatch.setenv("TF_CONFIG", text)
    with pytest.raises(ConfigError, match=r"training\.devices is multi-worker, but TF_CONFIG is"):
        worker_index()


def test_the_chief_cannot_follow_itself(tmp_path, monkeypatch):
    monkeypatch.setenv("TF_CONFIG", tf_config(0))
    with pytest.raises(ConfigError, match="worker 0 of TF_CONFIG is the chief: start the run itself"):
        follow(RunFolder(tmp_path, "toy"))


@pytest.mark.slow
def test_a_round_that_loses_a_worker_is_resumed_to_the_weights_of_one_device(tmp_path, monkeypatch):
    for name in ("alone", "together"):
        (tmp_path / name).mkdir()
    alone, together = (make_run(tmp_path / name, training=TRAINING) for name in ("alone", "together"))
    initialise_stage(alone)
    train_stage(alone, 1)
    initialise_stage(together)
    config = together.config
    elsewhere = config.model_copy(
        update={"training": config.training.model_copy(update={"devices": "multi-worker"})}
    )
    run = open_run(elsewhere, together.corpus)
    assert run.run_id == together.run_id
    ports = free_ports(2)
    monkeypatch.setenv("TF_CONFIG", tf_config(1, ports))
    follower = start_follower(run)
    try:
        monkeypatch.setenv("TF_CONFIG", tf_config(0, ports))
        steps = []

        def kill_the_other(step, loss):
            steps.append(step)
            if step == 3:
                (child,) = children(follower.pid)
                os.kill(child, signal.SIGKILL)

        with pytest.raises(RuntimeError, match="worker 0 could not finish round 1"):
            train_together(run, 1, kill_the_other)
        assert steps[-1] < TRAINING["meta_steps"]
        resumed = []
        report = train_stage(run, 1, on_step=lambda step, loss: resumed.append(step))
    finally:
        follower.kill()
    assert resumed[0] in (3, 5)
    assert report.meta_steps == TRAINING["meta_steps"]
    for name, value in weights(alone, 1).items():
        np.testing.assert_allclose(weights(run, 1)[name], value, rtol=1e-3, atol=1e-4, err_msg=name)
    moments = load_file(run.checkpoint(1) / "optimizer.safetensors")
    assert moments["encoder/adamw/iteration"] == TRAINING["meta_steps"]


def start_follower(run):
    code = (
        "import sys; from metamapping.runs.folder import RunFolder; "
        "from metamapping.runs.multi_worker import follow; "
        "follow(RunFolder.at(sys.argv[1]), on_round=print)"
    )
    return subprocess.Popen([sys.executable, "-c", code, run.place])


def children(pid):
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def free_ports(count):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports
