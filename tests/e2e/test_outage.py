"""An outage: the API, its services and the database are unavailable for minutes during training.

That is longer than the 90 seconds after which the server marks a run for missed heartbeats, and longer than a
worker keeps polling for cancellations. ``test_orchestration.py`` kills a worker, and resumes a cancelled
training; ``test_kill.py`` checks that a resumed run ends with the same bits.
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from tests.e2e.prefect_server import PrefectServer, wait_for

pytestmark = pytest.mark.slow

SECONDS = float(os.environ.get("METAMAPPING_OUTAGE_SECONDS", "100"))


def test_training_continues_while_server_and_database_are_unavailable(server: PrefectServer) -> None:
    home = server.folder / "outage"
    config = server.deployment("meta-pretraining")["parameters"]["config"]
    # More steps than any machine can do during the test: the training is cancelled at its end.
    config["training"] = {**config["training"], "meta_steps": 100_000}
    parent = server.start_run(home=str(home), training=config["training"])
    wait_for(lambda: bool(partial_steps(home)), 400, "a partial checkpoint")

    processes = server.processes[0]
    processes.send_signal(signal.SIGTERM)
    processes.wait(90)
    step = partial_steps(home)[-1]
    time.sleep(SECONDS)
    assert partial_steps(home)[-1] > step, "training waited for the server"
    server.start(processes.args[2:])
    server.wait_until_ready()

    train = server.stages(parent)["train"]["id"]
    for run_id in (parent, train):
        server.wait_for_state(run_id, "RUNNING", seconds=60)
    process = server.process_of(train)
    server.cancel(train)
    server.miss_heartbeats(train)  # as the automation may do at that moment
    server.wait_for_state(train, "CANCELLED", seconds=60)
    wait_for(lambda: not Path(f"/proc/{process}").exists(), 60, "the end of the training process")
    assert server.run(train)["state_type"] == "CANCELLED", server.history(train)

    saved = partial_steps(home)[-1]
    server.retry(train)
    server.wait_for_state(train, "RUNNING", seconds=120)
    wait_for(lambda: partial_steps(home)[-1] > saved, 120, "more steps saved")
    counts = {name: run["run_count"] for name, run in server.stages(parent).items()}
    # The first execution and the Retry; a reverted mark counts as one more.
    assert counts.pop("train") in (2, 3)
    assert counts == {"prepare": 1}
    server.cancel(train)
    server.wait_for_state(train, "CANCELLED", seconds=120)


def partial_steps(home: Path) -> list[str]:
    """The partial checkpoints of round 1, the newest last."""
    return sorted(path.name for path in home.glob("runs/*/checkpoints/round-1-partial/partial-*"))
