"""A run at an S3 address that is killed repeatedly and resumed on other machines has the same result."""

import random
import time

import pytest

pytest.importorskip("s3fs", reason="missing: the extra s3")
pytest.importorskip("moto", reason="missing: moto")

from metamapping.storage import remote
from tests.e2e.command import finish, kill, published, start
from tests.s3_server import make_bucket, objects, s3_server

pytestmark = pytest.mark.slow

NUM_KILLS = 2
SEED = 20
TIMEOUT_SECONDS = 600


@pytest.fixture(scope="module")
def server():
    with s3_server() as environment:
        yield environment


def written(home):
    """The objects of a home that stay: all but those of its leases."""
    return [each for each in objects(home) if not each.startswith("locks/")]


def wait_for_objects(home, count, process):
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while len(written(home)) < count:
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < deadline, f"no {count} objects in {TIMEOUT_SECONDS} s"
        time.sleep(0.2)


def test_a_killed_run_is_resumed_on_other_machines_and_ends_like_a_local_one(
    finished_run, tmp_path, monkeypatch, server
):
    local, _ = finished_run
    for name, value in server.items():
        monkeypatch.setenv(name, value)
    home = f"{make_bucket('runs')}/team/home"

    rng, reached = random.Random(SEED), []
    for number in range(NUM_KILLS):
        process = start(home, machine=tmp_path / f"machine-{number}")
        wait_for_objects(home, len(written(home)) + rng.randint(1, 12), process)
        time.sleep(rng.random() / 4)
        kill(process)
        reached.append(len(written(home)))
    output = finish(start(home, machine=tmp_path / "last"))
    assert sorted(reached) == reached, reached
    assert f"Published: {home}/runs/tiny-" in output

    (folder,) = published_at(home, tmp_path / "reader", monkeypatch)
    for name in ("report.json", "model.safetensors", "mapping.safetensors", "tokenizer.json"):
        assert (folder / name).read_bytes() == (published(local) / name).read_bytes(), name


def published_at(home, machine, monkeypatch):
    """The folders published at an address, fetched by a machine with an empty cache."""
    monkeypatch.setenv("METAMAPPING_CACHE", str(machine))
    runs = {each.split("/")[1] for each in objects(home) if each.startswith("runs/")}
    return [remote.open_folder(f"{home}/runs/{run}/published") for run in runs]
