"""A run that is stopped during training, by a signal or by SIGKILL, is resumed by the same command.

One run is stopped three times, each time after more meta-steps than before, and then runs to its end: a start
takes half a minute of CPU time, most of it for the embedded Prefect server.
"""

import os
import signal
import time

import pytest

from tests.e2e.command import finish, kill, published, start

pytestmark = pytest.mark.slow

PARTIAL = "runs/*/checkpoints/round-1-partial/partial-*/state.json"


def wait_for_steps_after(step, home, process, timeout_seconds=300):
    """Wait until more than ``step`` meta-steps are saved, and return their number."""
    deadline = time.monotonic() + timeout_seconds
    while time.monotonic() < deadline:
        saved = [int(path.parent.name[8:]) for path in home.glob(PARTIAL)]
        if max(saved, default=0) > step:
            return max(saved)
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.02)
    raise TimeoutError(f"no step after {step} was saved in {timeout_seconds} s")


def ctrl_c(process):
    os.killpg(process.pid, signal.SIGINT)  # a terminal sends it to all processes
    output = end_of(process, 130)
    assert "interrupted: finished work is kept" in output


def sigterm(process):
    process.terminate()
    output = end_of(process, 143)
    assert "interrupted: finished work is kept" not in output


def end_of(process, code):
    """Its output; all processes that write to its pipe have ended by then, including its Prefect server."""
    output, _ = process.communicate(timeout=60)
    assert process.returncode == code, output
    assert "Connection refused" not in output
    return output


def test_a_run_stopped_in_training_is_resumed_and_ends_like_an_undisturbed_one(finished_run, tmp_path):
    step = 0
    for end in (ctrl_c, sigterm, kill):
        process = start(tmp_path)
        step = wait_for_steps_after(step, tmp_path, process)
        end(process)
        assert not list(tmp_path.glob("runs/*/checkpoints/round-1/state.json")), "ended too late"
    finish(start(tmp_path))

    undisturbed, _ = finished_run
    for name in ("report.json", "model.safetensors", "tokenizer.json"):
        assert (published(tmp_path) / name).read_bytes() == (published(undisturbed) / name).read_bytes(), name
