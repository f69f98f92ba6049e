"""Of all machines that work on one run at an address, one at a time writes."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager

import pytest

pytest.importorskip("s3fs", reason="missing: the extra s3")
pytest.importorskip("moto", reason="missing: moto")

from metamapping.errors import StoreError
from metamapping.runs import lock
from metamapping.runs.folder import RunFolder
from metamapping.runs.lock import is_locked, locked
from metamapping.storage import leases, remote
from metamapping.storage.lease_owner import Owner, machine_id
from tests.s3_server import forget_servers, make_bucket, objects, s3_environment

RUN = "toy-0123456789abcdef"
HOUR = 3600
WAITS = f"another process works on run {RUN}"


@pytest.fixture(scope="module", autouse=True)
def server():
    with s3_environment():
        yield


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A run at an address, as another machine sees it."""
    monkeypatch.setenv("METAMAPPING_CACHE", str(tmp_path / "here"))
    monkeypatch.setattr(leases, "POLL_SECONDS", 0.02)
    lock._can_lease.cache_clear()
    return RunFolder(f"{make_bucket('leases')}/home", RUN)


@contextmanager
def process(run, cache, work, lease_seconds=HOUR):
    command = [
        sys.executable,
        "-m",
        "tests.storage.lease_process",
        address(run),
        RUN,
        work,
        str(lease_seconds),
    ]
    with subprocess.Popen(
        command,
        env={**os.environ, "METAMAPPING_CACHE": str(cache)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as started:
        try:
            yield started
        finally:
            started.kill()


def wait_for(started, text):
    """The first line with a text that a process prints within two minutes."""
    lines = []
    too_late = threading.Timer(120, started.kill)
    too_late.start()
    try:
        for line in started.stdout:
            lines.append(line)
            if text in line:
                return line
    finally:
        too_late.cancel()
    raise AssertionError("".join(lines))


def go_on(started):
    """Send the line that a process waits for."""
    started.stdin.write("\n")
    started.stdin.flush()


def address(run):
    return run.place.removesuffix(f"/runs/{RUN}")


def lease_of(run):
    return remote.remote_place(run.path.parent.parent / "locks" / RUN)


def test_no_increment_of_two_machines_is_lost(run, tmp_path):
    with process(run, tmp_path / "a", "12") as one, process(run, tmp_path / "b", "12") as other:
        assert one.wait(120) == 0, one.stdout.read()
        assert other.wait(120) == 0, other.stdout.read()
    assert remote.read_file(run.path / "counter.json") == b"24"


def test_a_killed_owner_blocks_another_machine_until_its_lease_ends_and_is_named(run, tmp_path):
    with process(run, tmp_path / "a", "once") as owner:
        wait_for(owner, "held")
        with process(run, tmp_path / "b", "once", 2) as waiting:
            waits = wait_for(waiting, WAITS)
            owner.kill()
            wait_for(waiting, "held")
    assert f"(process {owner.pid} of " in waits
    assert f" on {socket.gethostname()}, since 20" in waits
    assert "UTC): waiting" in waits


@pytest.mark.slow
def test_an_owner_that_lives_is_not_overtaken(run, tmp_path):
    with process(run, tmp_path / "a", "once", 4) as owner:
        wait_for(owner, "held")
        with process(run, tmp_path / "b", "once", 4) as waiting:
            wait_for(waiting, WAITS)
            time.sleep(9)  # were the lease not renewed, the other would have it now
            go_on(owner)
            wait_for(owner, "written")
            wait_for(waiting, "held")


def test_a_lease_that_is_given_back_is_taken_at_once(run, tmp_path):
    with process(run, tmp_path / "a", "once") as owner:
        wait_for(owner, "held")
        owner.communicate("\n", timeout=60)
    with process(run, tmp_path / "b", "once") as other:
        wait_for(other, "held")  # its lease, of an hour, would otherwise have to end
    assert len([each for each in objects(address(run)) if each.startswith(f"locks/{RUN}/")]) == 1


def test_a_killed_owner_on_the_same_machine_blocks_nobody(run, tmp_path):
    with process(run, tmp_path / "a", "once") as owner:
        wait_for(owner, "held")
        owner.kill()
    with process(run, tmp_path / "a", "once") as other:
        wait_for(other, "held")


def test_an_owner_that_slept_through_its_lease_writes_nothing(run, tmp_path):
    with process(run, tmp_path / "a", "once", 2) as owner:
        wait_for(owner, "held")
        owner.send_signal(signal.SIGSTOP)
        with process(run, tmp_path / "b", "once", 2) as other:
            wait_for(other, "held")
            go_on(owner)
            owner.send_signal(signal.SIGCONT)
            refused = wait_for(owner, "has taken over the work")
    assert f"process {other.pid} of " in refused
    assert remote.read_file(run.path / "result.json") is None


def test_a_number_that_was_removed_meanwhile_makes_nobody_the_owner(run):
    lease, owner = lease_of(run), Owner.this_process("here")
    lease.child("0000000007.json").write(owner.data)
    assert not leases._create(lease, 6, owner)
    assert lease.list_files() == ["0000000007.json"]


def test_a_lease_of_another_machine_shows_in_the_list_of_runs(run, tmp_path):
    assert not is_locked(run)
    with process(run, tmp_path / "a", "once") as owner:
        wait_for(owner, "held")
        assert is_locked(run)
        owner.communicate("\n", timeout=60)
    assert not is_locked(run)


def test_an_object_that_cannot_be_read_blocks_until_the_lease_ends(run, monkeypatch):
    monkeypatch.setattr(leases, "LEASE_SECONDS", 0.5)
    lease_of(run).child("0000000001.json").write(b"of a later version")
    with locked(run):
        assert lease_of(run).list_files() == ["0000000002.json"]


def test_a_store_that_fails_while_a_lease_is_given_back_does_not_fail_the_stage(run, monkeypatch, caplog):
    with locked(run):
        monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
        monkeypatch.setattr(leases, "_latest", unreachable)
    assert "the store does not answer" in caplog.text


def unreachable(place):
    raise StoreError("the store does not answer")


def test_without_conditional_writes_a_warning_says_so_and_the_stage_runs(run, monkeypatch, caplog):
    import s3fs

    write = s3fs.S3FileSystem._pipe_file

    async def overwrite(self, path, data, mode="overwrite", **kwargs):
        return await write(self, path, data, **kwargs)

    monkeypatch.setattr(s3fs.S3FileSystem, "_pipe_file", overwrite)
    forget_servers()  # what is open keeps the method that it was made with
    with locked(run):
        remote.write_file(run.path / "result.json", b"{}")
    forget_servers()
    assert "is in a store without conditional writes" in caplog.text
    assert objects(address(run)) == [f"runs/{RUN}/result.json"]


def test_the_copy_of_a_machine_is_another_machine(tmp_path, monkeypatch):
    ours = machine_id(tmp_path)
    assert machine_id(tmp_path) == ours
    monkeypatch.setattr(socket, "gethostname", lambda: "copy")
    assert machine_id(tmp_path) != ours


def test_what_an_owner_writes_is_read_back():
    owner = Owner.this_process("here")
    assert Owner.model_validate(json.loads(owner.data)) == owner
