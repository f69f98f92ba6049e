"""kill -9 in the middle of training, then the same command: the same published metrics."""

import json
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
