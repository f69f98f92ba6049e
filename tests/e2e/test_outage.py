"""Server trouble: the API, its services and the database gone in the middle of training.

``METAMAPPING_OUTAGE_SECONDS`` says for how long; a worker's death is in ``test_orchestration.py``.
"""

from __future__ import annotations

import os
import signal
import time

import pytest

from benchmarks.faults.kills import BIT_FOR_BIT, published
from tests.e2e.prefect_server import PrefectServer, wait_for

pytestmark = pytest.mark.slow

SECONDS = float(os.environ.get("METAMAPPING_OUTAGE_SECONDS", "20"))


def test_training_survives_the_server_and_its_database_being_gone(server: PrefectServer) -> None:
    alone, home = server.folder / "alone", server.folder / "outage"
    deployment = server.deployment("meta-pretraining")
    training = {**deployment["parameters"]["config"]["training"], "meta_steps": 1_500}
    parent = server.start_run(home=str(home), training=training)
    wait_for(lambda: any(home.glob("runs/*/checkpoints/round-1-partial/*")), 400, "a partial checkpoint")

    processes = server.processes[0]
    processes.send_signal(signal.SIGTERM)
    processes.wait(90)
    step = max(path.name for path in home.glob("runs/*/checkpoints/round-1-partial/partial-*"))
    time.sleep(SECONDS)
    is_done = any(home.glob("runs/*/checkpoints/round-1"))
    reached = [path.name for path in home.glob("runs/*/checkpoints/round-1-partial/partial-*")]
    assert is_done or max(reached) > step, "training waited for the server"
    server.start(processes.args[2:])
    server.wait_until_ready()

    run = server.wait_for_state(parent, "COMPLETED", "FAILED", "CRASHED", seconds=900)
    assert run["state_type"] == "COMPLETED", run["state"]["message"]
    undisturbed = server.start_run(home=str(alone), training=training)
    server.wait_for_state(undisturbed, "COMPLETED", seconds=900)
    for name in BIT_FOR_BIT:
        assert (published(home) / name).read_bytes() == (published(alone) / name).read_bytes(), name
