"""The corpus is the same on each engine, byte for byte, even if a worker is killed meanwhile; scores, too."""

import contextlib
import importlib.util
import os
import random
import signal
import threading
import time
from pathlib import Path

import pytest

from metamapping.config.engine import EngineSpec
from metamapping.config.loading import parse_config
from metamapping.errors import ConfigError
from tests.corpus.toys import labelled, write_jsonl

pytestmark = pytest.mark.slow

NUM_ROWS = 12_000
ROLES = ("train", "train", "validation", "test")
RUNNERS = ("processes", "dask", "ray")
HELD_OUT = {"fruit": "train", "colours": "train", "garden": "validation", "sea": "validation", "shop": "test"}


@pytest.fixture(scope="module", autouse=True)
def server():
    testing = pytest.importorskip("prefect.testing.utilities")
    with testing.prefect_test_harness(server_startup_timeout=300):
        yield


@pytest.fixture(scope="module")
def prepare(tmp_path_factory):
    """A function that prepares four sources in a new home, and returns the home."""
    from flows.prepare_corpus import prepare_corpus

    folder = tmp_path_factory.mktemp("engines")
    words = [f"word{number}" for number in range(500)]
    sources = []
    for number, role in enumerate(ROLES):
        rng = random.Random(number)
        rows = [(" ".join(rng.choices(words, k=8)), rng.choice("xyz")) for _ in range(NUM_ROWS)]
        file = write_jsonl(folder / f"{number}.jsonl", labelled(*rows))
        sources.append({"name": f"s{number}", "role": role, "task_type": "text-classification"})
        sources[-1]["files"] = [str(file)]

    def prepare(name, **engine):
        config = {"name": "engines", "home": str(folder / name), "sources": sources, "engine": engine}
        config["encoder"] = {"scratch": {"vocabulary_size": 300}, "max_length_tokens": 16}
        prepare_corpus(parse_config(config))
        return folder / name

    return prepare


@pytest.fixture(scope="module")
def reference(prepare):
    return contents(prepare("threads"))


def contents(home):
    """Every file of the store with its bytes, except the temporary directories of killed processes."""
    files = [path for path in sorted(home.rglob("*")) if path.is_file()]
    return {str(p.relative_to(home)): p.read_bytes() for p in files if ".draft-" not in str(p)}


def need(runner):
    if runner != "processes" and importlib.util.find_spec(f"prefect_{runner}") is None:
        pytest.skip(f"missing: the extra {runner}")


@pytest.mark.parametrize("runner", RUNNERS)
def test_every_byte_is_the_same_although_a_worker_is_killed(runner, prepare, reference, monkeypatch):
    need(runner)
    monkeypatch.setenv("RAY_raylet_start_wait_time_s", "300")  # for a machine that is busy
    killed = []
    with a_killer(killed):
        home = prepare(runner, runner=runner, num_workers=2)
    assert killed, "no worker was found writing examples"
    assert contents(home) == reference


@contextlib.contextmanager
def a_killer(killed):
    """Kill with SIGKILL the first other process that is found writing a source's examples."""
    ended = threading.Event()

    def watch():
        while not killed and not ended.wait(0.02):
            for pid in workers():
                if pid != os.getpid() and is_writing(pid, ".draft-examples"):
                    os.kill(pid, signal.SIGKILL)
                    killed.append(pid)
                    return

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield
    finally:
        ended.set()
        watcher.join()


def workers():
    return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]


def is_writing(pid, what):
    with contextlib.suppress(OSError):
        for link in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(OSError):
                if what in str(link.readlink()) and "engines" in str(link.readlink()):
                    return True
    return False


def test_the_error_of_a_source_on_a_worker_is_reported_unchanged(prepare, tmp_path):
    from flows.prepare_corpus import prepare_corpus

    sources = [
        {"name": role, "role": role, "task_type": "text-classification", "drop_labels": ["x"]}
        for role in ("train", "validation", "test")
    ]
    for source in sources:
        source["files"] = [str(write_jsonl(tmp_path / f"{source['name']}.jsonl", labelled(("one", "x"))))]
    config = {"name": "bad", "home": str(tmp_path / "home"), "sources": sources, "encoder": {"scratch": {}}}
    with pytest.raises(ConfigError, match="all of its 1 rows were rejected"):
        prepare_corpus(parse_config(config | {"engine": {"runner": "processes", "num_workers": 2}}))


def test_a_run_fails_if_its_workers_always_die():
    from concurrent.futures.process import BrokenProcessPool

    from prefect import flow

    from tasks.engine import NUM_POOLS, run_on_engine

    tried = []

    def die():
        tried.append(time.monotonic())
        raise BrokenProcessPool

    @flow
    def always():
        run_on_engine(EngineSpec(runner="threads"), die)

    with pytest.raises(BrokenProcessPool):
        always()
    assert len(tried) == NUM_POOLS


@pytest.mark.parametrize("runner", ["dask", "ray"])
def test_sources_are_evaluated_on_workers_with_the_same_scores(runner, tmp_path, monkeypatch):
    need(runner)
    pytest.importorskip("tensorflow")
    from flows.evaluate_round import evaluate_round
    from metamapping.runs.measuring import measure_sources
    from metamapping.runs.round_training import train_stage
    from metamapping.runs.stages import initialise_stage
    from tests.runs.test_stages import make_run

    monkeypatch.setenv("RAY_raylet_start_wait_time_s", "300")  # for a machine that is busy
    run = make_run(tmp_path, roles=HELD_OUT, engine={"runner": runner, "num_workers": 2, "evaluate": True})
    initialise_stage(run)
    train_stage(run, 1)
    here = [measure_sources(run, number, "validation") for number in (1, 0)]
    # So that what is compared was not measured in this process.
    monkeypatch.setattr("metamapping.runs.measuring.measure_sources", None)
    cells = evaluate_round(run.run_id, 1, str(tmp_path / "home"))["cells"]
    assert [cell["source"] for cell in cells] == ["garden"] * 2 + ["sea"] * 2
    assert [cell["scores"] for cell in cells] == [cell.scores for cell in here[0].cells]
    assert [cell["baseline"] for cell in cells] == [cell.scores for cell in here[1].cells]
    stored = run.read_result("validation-1")
    assert stored["failures"] == here[0].model_dump(mode="json")["failures"]
