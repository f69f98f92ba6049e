"""Several machines that train a round together get the weights of one machine, even if one is killed."""

import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from metamapping.errors import ConfigError, StoreError
from metamapping.runs import multi_worker, worker_part
from metamapping.runs.cluster import Cluster
from metamapping.runs.folder import RunFolder
from metamapping.runs.lock import is_locked, locked
from metamapping.runs.multi_worker import await_run, follow, train_together
from metamapping.runs.round_training import train_stage
from metamapping.runs.select_sources import select_stage
from metamapping.runs.stages import initialise_stage, open_run
from metamapping.runs.worker_part import LostClusterError
from metamapping.storage import leases
from tests.runs.test_stages import make_run, weights

SECONDS = 60
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


WORKERS = ("a:1", ["a", "b"], ["a:1", "a:1"], ["a:1", 2], {"0": "a:1"})


@pytest.mark.parametrize(
    "text",
    [
        *("", "{", "[]", tf_config(5), tf_config(-1), tf_config(0.5), tf_config(0, kind="chief")),
        *(
            json.dumps({"cluster": {"worker": each}, "task": {"type": "worker", "index": 0}})
            for each in WORKERS
        ),
    ],
)
def test_a_tf_config_without_a_valid_worker_is_rejected(text, monkeypatch):
    monkeypatch.setenv("TF_CONFIG", text)
    with pytest.raises(ConfigError, match=r"training\.devices is multi-worker, but TF_CONFIG is"):
        Cluster.of_environment()


def test_the_other_workers_of_an_error_are_named_with_their_addresses():
    cluster = Cluster(0, ("10.0.0.1:1", "10.0.0.2:1", "10.0.0.3:1"))
    output = [
        "from /job:worker/replica:0/task:2 while calling",
        "to /job:worker/task:0",
        "/job:worker/task:1",
    ]
    assert cluster.named_in(output) == "worker 1 (10.0.0.2:1), worker 2 (10.0.0.3:1)"
    assert cluster.named_in(["nothing"]) == ""


def test_the_chief_cannot_follow_itself(tmp_path, monkeypatch):
    monkeypatch.setenv("TF_CONFIG", tf_config(0))
    with pytest.raises(ConfigError, match="worker 0 of TF_CONFIG is the chief: start the run itself"):
        follow(RunFolder(tmp_path, "toy"))


@pytest.fixture
def toy(tmp_path, monkeypatch):
    """A run whose worker processes do what a test says: ``toy.does(code)``, with the attempt as ``n``."""
    monkeypatch.setenv("TF_CONFIG", tf_config(0))
    monkeypatch.setattr(multi_worker, "POLL_SECONDS", 0.0)
    run = RunFolder(tmp_path, "toy")
    run.attempts = []

    def command(_, round):
        run.attempts.append(round)
        return [sys.executable, "-u", "-c", f"import sys, time; n = {len(run.attempts)}\n{code}"]

    def does(text):
        nonlocal code
        code = text

    code, run.does = "", does
    monkeypatch.setattr(worker_part, "_command", command)
    return run


LOSES = "print('meta-step 3 0.5'); print('by peer: /job:worker/replica:0/task:1'); sys.exit(1)"


def test_the_chief_tries_again_by_itself_and_says_which_worker_was_lost(toy, caplog):
    toy.does(f"if n < 3: {LOSES}\nprint('meta-step 4 0.25')")
    steps = []
    train_together(toy, 2, lambda step, loss: steps.append((step, loss)))
    assert steps == [(3, 0.5), (3, 0.5), (4, 0.25)]
    assert caplog.messages[0] == (
        "round 2 stopped after meta-step 3: worker 0 has lost worker 1 (127.0.0.1:2), whose own output may "
        "say why. Training resumes from the last partial checkpoint as soon as all 2 workers run again"
    )


def test_what_fails_at_the_same_meta_step_each_time_is_not_tried_for_ever(toy):
    toy.does("print('meta-step 3 0.5'); print('out of memory'); sys.exit(1)")
    with pytest.raises(LostClusterError, match=r"failed \(exit code 1\): out of memory.*last output"):
        train_together(toy, 1)
    assert len(toy.attempts) == 1 + multi_worker.MAX_USELESS_ATTEMPTS


def test_attempts_that_get_further_are_not_counted(toy):
    toy.does("if n == 9: sys.exit()\nprint(f'meta-step {n} 0.5'); sys.exit(1)")
    train_together(toy, 1)
    assert len(toy.attempts) == 9


def test_a_configuration_that_no_worker_can_train_is_reported_at_once(toy):
    toy.does("print('configuration: too few batches'); time.sleep(60)")
    with pytest.raises(ConfigError, match="too few batches"):
        train_together(toy, 1)
    assert len(toy.attempts) == 1


def test_a_killed_process_is_reported_with_its_signal(toy):
    toy.does("import os; os.kill(os.getpid(), 9)")
    with pytest.raises(LostClusterError, match="worker 0 was ended by SIGKILL"):
        worker_part.train_part(toy, 1)


def test_a_process_that_waits_for_a_round_that_is_over_is_ended(toy, monkeypatch):
    monkeypatch.setattr(worker_part, "LOOK_SECONDS", 0.05)
    monkeypatch.setattr(worker_part, "GRACE_SECONDS", 0.05)
    toy.does("time.sleep(600)")
    toy.read_training = lambda round: "a report"
    train_together(toy, 1)
    assert len(toy.attempts) == 1


def test_the_chief_that_lost_its_lease_while_it_trained_ends(toy, monkeypatch):
    def lost(path):
        assert path == toy.path
        raise StoreError("another machine has taken over the work")

    monkeypatch.setattr(leases, "check", lost)
    toy.does("print('meta-step 1 0.5'); time.sleep(600)")
    with pytest.raises(StoreError, match="has taken over the work"):
        train_together(toy, 1)
    toy.does("sys.exit(1)")
    with pytest.raises(StoreError, match="has taken over the work"):
        train_together(toy, 1)


@pytest.fixture
def distributed(tmp_path, toy):
    """A run that several machines train, at an address; its worker processes are those of ``toy``."""
    training = {"devices": "multi-worker", "num_batches": 2}
    selection = {"mode": "list", "sources": ["sea"]}
    return make_run(tmp_path, home="memory://cluster/home", training=training, selection=selection)


def test_the_chief_holds_the_lock_of_the_run_while_it_trains(distributed, toy):
    toy.does("print('meta-step 1 0.5'); print('configuration: enough')")
    seen = []
    with pytest.raises(ConfigError, match="enough"):
        train_stage(distributed, 1, on_step=lambda step, loss: seen.append(is_locked(distributed)))
    assert seen == [True]


def test_a_worker_reads_the_selected_sources_while_the_chief_holds_the_lock(distributed):
    select_stage(distributed)
    chosen = []
    with locked(distributed):
        other = threading.Thread(target=lambda: chosen.append(select_stage(distributed).chosen), daemon=True)
        other.start()
        other.join(60)
    assert chosen == [["sea"]]


def test_a_follower_finds_the_run_of_its_configuration_at_an_address(distributed, monkeypatch):
    monkeypatch.setattr(multi_worker, "POLL_RUNS_SECONDS", 0.0)
    other = RunFolder("memory://cluster/home", "toy-0000000000000000")
    other.write_result("run", {"config": "of another release"})
    found = await_run(distributed.config)
    assert found.run_id == distributed.run_id


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a process whose threads are held")
def test_a_worker_process_ends_with_its_parent_while_tensorflow_waits_for_the_others():
    # PyDLL calls C without releasing the interpreter, as TensorFlow does.
    child = (
        "import ctypes; from metamapping.runs.worker_process import end_with_parent; "
        "end_with_parent(); print('waits', flush=True); ctypes.PyDLL(None).sleep(600)"
    )
    parent = (
        "import subprocess, sys; "
        "child = subprocess.Popen([sys.executable, '-c', sys.argv[1]], stdin=subprocess.PIPE); "
        "print(child.pid, flush=True); child.wait()"
    )
    started = subprocess.Popen([sys.executable, "-c", parent, child], stdout=subprocess.PIPE, text=True)
    with started:
        pid = int(started.stdout.readline())
        assert started.stdout.readline() == "waits\n"
        started.kill()
    deadline = time.monotonic() + SECONDS
    while Path(f"/proc/{pid}").exists() and " Z " not in Path(f"/proc/{pid}/stat").read_text():
        assert time.monotonic() < deadline, f"process {pid} goes on without its parent"
        time.sleep(0.05)


@pytest.mark.slow
def test_a_round_that_loses_a_worker_is_resumed_to_the_weights_of_one_device(tmp_path, monkeypatch, caplog):
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
            if steps == [1, 2, 3]:
                (child,) = children(follower.pid)
                os.kill(child, signal.SIGKILL)

        report = train_stage(run, 1, on_step=kill_the_other)
    finally:
        follower.kill()
    assert "worker 0 has lost worker 1" in caplog.text
    (resumed,) = (after for before, after in itertools.pairwise(steps) if after <= before)
    assert resumed in (3, 5)
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
