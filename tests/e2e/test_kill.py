"""Ended in the middle of training, by kill -9 or in order, then the same command: it goes on."""

import json
import os
import signal
import time

import pytest

from tests.e2e.command import finish, kill, published, start

pytestmark = pytest.mark.slow


def wait_for(pattern, home, process, timeout_seconds=300):
    deadline = time.monotonic() + timeout_seconds
    while time.monotonic() < deadline:
        if found := list(home.glob(pattern)):
            return found[0]
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.02)
    raise TimeoutError(f"no {pattern} in {timeout_seconds} s")


def test_a_run_that_is_killed_in_training_resumes_to_the_same_result(tmp_path):
    undisturbed, killed = tmp_path / "undisturbed", tmp_path / "killed"
    finish(start(undisturbed))

    process = start(killed)
    partial = wait_for("runs/*/checkpoints/round-1-partial/partial-*/state.json", killed, process)
    kill(process)
    step = json.loads(partial.read_text())["step"]
    assert step > 0
    assert not list(killed.glob("runs/*/checkpoints/round-1/state.json")), "killed too late"
    finish(start(killed))

    for name in ("report.json", "model.safetensors", "tokenizer.json"):
        assert (published(killed) / name).read_bytes() == (published(undisturbed) / name).read_bytes(), name


@pytest.mark.parametrize("way", ["Ctrl-C", "SIGTERM"])
def test_a_run_that_is_told_to_end_ends_soon_with_its_server_and_goes_on_later(way, tmp_path):
    process = start(tmp_path)
    wait_for("runs/*/checkpoints/round-1-partial/partial-*/state.json", tmp_path, process)
    if way == "Ctrl-C":  # goes to all processes of a terminal
        os.killpg(process.pid, signal.SIGINT)
    else:
        process.terminate()
    output, _ = process.communicate(timeout=60)  # only at the end of all that hold its pipe: the server, too
    assert process.returncode == {"Ctrl-C": 130, "SIGTERM": 143}[way], output
    assert ("interrupted: finished work is kept" in output) == (way == "Ctrl-C")
    assert "Connection refused" not in output
    finish(start(tmp_path))
    assert published(tmp_path).is_dir()
