"""Two machines with caches of their own work on one run at an S3 address at the same time."""

import json
import os
import subprocess
import sys
import time

import pytest

pytest.importorskip("s3fs", reason="missing: the extra s3")
pytest.importorskip("moto", reason="missing: moto")

from metamapping.storage import remote
from metamapping.storage.manifest import MANIFEST, check_files, sealed
from tests.formats.old import FOLDERS
from tests.formats.test_runs import RUN, old_home
from tests.s3_server import make_bucket, objects, s3_server

pytestmark = pytest.mark.slow
SAME = ("report.json", "model.safetensors", "mapping.safetensors", "tokenizer.json")


@pytest.fixture
def home(monkeypatch, tmp_path):
    """The run that the release 0.2.0 began, at an address."""
    with s3_server() as environment:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("METAMAPPING_CACHE", str(tmp_path / "uploader"))
        address = f"{make_bucket('runs')}/home"
        upload(FOLDERS / "run-0.2.0", address)
        yield address


def upload(source, address):
    """Write finished folders and single files as a run at an address has them."""
    target = remote.local_folder(address)
    folders = [manifest.parent for manifest in source.rglob(MANIFEST)]
    for folder in folders:
        remote.push_folder(folder, target / folder.relative_to(source))
    for path in source.rglob("*"):
        if path.is_dir() or path.parent in folders:
            continue
        data = path.read_bytes()
        if path.name == "run.json":
            about = json.loads(data.replace(b"/models/home", address.encode()))
            del about["blake2b"]
            data = json.dumps(sealed(about)).encode()
        remote.write_file(target / path.relative_to(source), data)


def start(home, cache):
    return subprocess.Popen(
        [sys.executable, "-m", "tests.formats.two_machines", str(home), RUN],
        env={**os.environ, "METAMAPPING_CACHE": str(cache), "TF_CPP_MIN_LOG_LEVEL": "3"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_of_two_machines_one_is_killed_and_the_other_ends_as_if_it_were_alone(home, tmp_path, monkeypatch):
    alone = start(old_home(tmp_path), tmp_path / "no-cache")
    killed, left = (start(home, tmp_path / f"machine-{number}") for number in range(2))
    while not any(f"{RUN}/checkpoints/round-2/" in each for each in objects(home)):
        assert killed.poll() is None, killed.communicate()[0]
        time.sleep(0.2)
    killed.kill()
    killed.communicate()
    for process in (left, alone):
        printed, _ = process.communicate(timeout=900)
        assert process.returncode == 0, printed
    monkeypatch.setenv("METAMAPPING_CACHE", str(tmp_path / "reader"))
    folder = remote.open_folder(f"{home}/runs/{RUN}/published")
    check_files(folder, [])
    for name in SAME:
        assert (folder / name).read_bytes() == (
            tmp_path / "home/runs" / RUN / "published" / name
        ).read_bytes()
