"""Two machines with disks of their own train a run at an S3 address; both die, and it ends as on one machine.

A machine is a process with its own cache, in a session of its own, so that it dies with all of its processes.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager, suppress

import pytest
import yaml

pytest.importorskip("s3fs", reason="missing: the extra s3")
pytest.importorskip("moto", reason="missing: moto")
pytest.importorskip("tensorflow", reason="missing: the extra train")

from metamapping.storage import remote
from tests.e2e.command import CONFIG, ROOT
from tests.s3_server import make_bucket, objects, s3_environment

pytestmark = pytest.mark.slow

SECONDS = 900
PUBLISHED = ("report.json", "model.safetensors", "mapping.safetensors", "tokenizer.json")


@pytest.fixture(scope="module", autouse=True)
def server():
    with s3_environment():
        yield


@pytest.fixture
def config(tmp_path):
    """A function that writes the configuration of the tests for some devices."""
    settings = yaml.safe_load(CONFIG.read_text())
    for source in settings["sources"]:
        source["files"] = [str((CONFIG.parent / file).resolve()) for file in source["files"]]

    def write(devices):
        settings["training"] |= {"devices": devices, "num_batches": 2, "meta_steps": 40}
        path = tmp_path / f"{devices}.yaml"
        path.write_text(yaml.safe_dump(settings))
        return path

    return write


class Machine:
    """A command on a machine whose cache is empty, and what it has printed."""

    def __init__(self, folder, *command, tf_config=None):
        folder.mkdir()
        self.log = folder / "log"
        environment = {**os.environ, "METAMAPPING_CACHE": str(folder / "cache"), "PYTHONUNBUFFERED": "1"}
        environment |= {"TF_CONFIG": json.dumps(tf_config), "COLUMNS": "120"}
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "metamapping", *map(str, command)],
                cwd=ROOT,
                env=environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def output(self):
        return self.log.read_text()

    def dies(self):
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def ends(self):
        assert self.process.wait(SECONDS) == 0, self.output
        return self.output


@contextmanager
def machines(tmp_path, home, config):
    """A function that starts worker 0 or 1 of a cluster on a machine of a name."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
    workers = [f"127.0.0.1:{each.getsockname()[1]}" for each in sockets]
    for each in sockets:
        each.close()
    started = []

    def start(name, index, *arguments):
        tf_config = {"cluster": {"worker": workers}, "task": {"type": "worker", "index": index}}
        command = ("follow" if index else "train", *(arguments or (config, "--home", home)))
        started.append(Machine(tmp_path / name, *command, tf_config=tf_config))
        return started[-1]

    try:
        yield start
    finally:
        for each in started:
            each.dies()


def wait_until(happened, machine):
    deadline = time.monotonic() + SECONDS
    while not happened():
        assert machine.process.poll() is None, machine.output
        assert time.monotonic() < deadline, machine.output
        time.sleep(0.1)


def saved_steps(home):
    """The meta-steps of the last partial checkpoint of round 1."""
    paths = [each.split("/") for each in objects(home) if "/round-1-partial/" in each]
    found = [path[-2].removeprefix("partial-") for path in paths if path[-1] == "manifest.json"]
    return max(map(int, found), default=0)


def test_a_run_that_loses_both_machines_ends_with_the_bytes_of_one_machine(tmp_path, config, monkeypatch):
    Machine(tmp_path / "alone", "train", config("one"), "--home", tmp_path / "home").ends()
    home = f"{make_bucket('machines')}/team/home"
    with machines(tmp_path, home, config("multi-worker")) as start:
        follower, chief = start("follower", 1), start("chief", 0)
        wait_until(lambda: saved_steps(home) >= 4, chief)
        follower.dies()
        wait_until(lambda: "worker 0 has lost worker 1 (127.0.0.1:" in chief.output, chief)
        killed = chief.process.pid
        chief.dies()
        before = saved_steps(home)
        # It has neither the configuration nor the files of the sources.
        (run,) = {each.split("/")[1] for each in objects(home) if each.startswith("runs/")}
        follower, chief = start("next-follower", 1, "--run", f"{home}/runs/{run}"), start("next-chief", 0)
        output = chief.ends()
        assert "Training resumes" not in follower.ends()
    assert 4 <= before < 40
    assert f"(process {killed} of " in output, output
    assert f"Published: {home}/runs/tiny-" in output

    monkeypatch.setenv("METAMAPPING_CACHE", str(tmp_path / "reader"))
    (one,) = (tmp_path / "home" / "runs").glob("*/published")
    folder = remote.open_folder(f"{home}/runs/{run}/published")
    for name in PUBLISHED:
        assert (folder / name).read_bytes() == (one / name).read_bytes(), name
