"""Server trouble: the API, its services and the database gone for minutes in the middle of training.

That is longer than the 90 seconds after which the server takes a run for dead, and than its worker waits
for news of a cancellation. A worker's death, and a cancelled training that goes on to the end of its run,
are in ``test_orchestration.py``; that it goes on to the same bits is in ``test_kill.py``.
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


def test_training_goes_on_while_server_and_database_are_gone(server: PrefectServer) -> None:
    home = server.folder / "outage"
    config = server.deployment("meta-pretraining")["parameters"]["config"]
    # More steps than any machine takes meanwhile: the training is cancelled in the end.
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
    server.take_for_dead(train)  # as the server itself may do just then
    server.wait_for_state(train, "CANCELLED", seconds=60)
    wait_for(lambda: not Path(f"/proc/{process}").exists(), 60, "the end of the training's process")
    assert server.run(train)["state_type"] == "CANCELLED", server.history(train)

    saved = partial_steps(home)[-1]
    server.retry(train)
    server.wait_for_state(train, "RUNNING", seconds=120)
    wait_for(lambda: partial_steps(home)[-1] > saved, 120, "more steps saved")
    counts = {name: run["run_count"] for name, run in server.stages(parent).items()}
    # Once at first and once by Retry; a mark that was taken back counts as one more.
    assert counts.pop("train") in (2, 3)
    assert counts == {"prepare": 1}
    server.cancel(train)
    server.wait_for_state(train, "CANCELLED", seconds=120)


def partial_steps(home: Path) -> list[str]:
    """The partial checkpoints of round 1, the newest last."""
    return sorted(path.name for path in home.glob("runs/*/checkpoints/round-1-partial/partial-*"))
