"""Faults in the real pipeline: kills at random moments, a full disk, a run that is started twice."""

from __future__ import annotations

import pytest

from benchmarks.faults.bench import Bench, Missing
from benchmarks.faults.disks import full_disk
from benchmarks.faults.kills import kill_until_done
from benchmarks.faults.pipeline import Commands, Forks
from benchmarks.faults.races import two_starts

pytestmark = pytest.mark.slow

# With four or five kills each; `make faults` runs any number of seeds.
NUM_FORKS, NUM_COMMANDS = 15, 1


@pytest.fixture(scope="module")
def forks(tmp_path_factory):
    with Forks() as pipeline:
        yield Bench.of(pipeline, tmp_path_factory.mktemp("forks"))


@pytest.fixture(scope="module")
def commands(tmp_path_factory):
    with Commands() as pipeline:
        yield Bench.of(pipeline, tmp_path_factory.mktemp("commands"))


def check_killed(bench, seed):
    killed = kill_until_done(
        bench.pipeline,
        bench.config,
        bench.folder / f"seed-{seed}",
        undisturbed=bench.undisturbed,
        seed=seed,
        seconds=bench.seconds,
    )
    print(killed)
    assert not killed.faults, str(killed)


@pytest.mark.parametrize("seed", range(NUM_FORKS))
def test_a_run_killed_at_random_ends_as_if_undisturbed(forks, seed):
    check_killed(forks, seed)


@pytest.mark.parametrize("seed", range(NUM_COMMANDS))
def test_a_run_with_prefect_killed_at_random_ends_as_if_undisturbed(commands, seed):
    check_killed(commands, seed)


@pytest.mark.parametrize("disturbance", [full_disk, two_starts], ids=lambda each: each.__name__)
def test_nothing_is_lost_when(forks, disturbance):
    try:
        tally = disturbance(forks)
    except Missing as part:
        pytest.skip(f"missing: {part}")
    assert tally.tried
    assert not tally.lost, "\n".join(tally.lost)
