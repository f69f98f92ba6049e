"""The overhead of Prefect: the same run with and without it, as a share of half an hour.

    python -m benchmarks.orchestration [CONFIG.yaml] [--rounds 2] [--deployed]

In: a configuration; the default is tests/e2e/tiny.yaml. Out: a line for each setup, with its wall-clock
seconds, what it adds to half an hour, and its CPU seconds, which a busy machine distorts less. The overhead
depends on the number of tasks and stages, not on how long they work, so the difference measured on a short
run is also the overhead of a long run with as many rounds. The deployment is measured twice: with one worker
command for both pools, and with each round evaluated in a process of its own, as separate workers do it.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path

import httpx
import yaml

from deployments.deploy import MAIN
from deployments.processes import running
from deployments.workers import EVALUATE_AFTER_TRAINING
from metamapping.config.loading import read_config

HALF_AN_HOUR = 1_800.0
TINY = "tests/e2e/tiny.yaml"
PORT = 15_400
LOGIN = "admin:of-this-benchmark"
AUTH = httpx.BasicAuth(*LOGIN.split(":"))


def main(config_path: str, rounds: int, deployed: bool) -> None:
    """Print the figures of "The overhead of Prefect" in benchmarks/README.md.

    They compare the same functions without Prefect, the flow with its embedded Prefect and, if ``deployed``,
    the deployment on a server with PostgreSQL, Redis and two workers, where every stage is a process. Two
    rounds of the default configuration take one and a half to two and a half minutes on two idle cores, in
    addition to the start of the server.

    Args:
        config_path: The configuration to run.
        rounds: The exact number of rounds.
        deployed: Whether to measure the deployment as well.
    """
    with tempfile.TemporaryDirectory(prefix="metamapping-orchestration-") as folder:
        Path(folder).chmod(0o755)  # PostgreSQL has a user of its own
        config = write_config(config_path, rounds, Path(folder))
        without = measure([sys.executable, "-m", __spec__.name, config, "--without"], os.environ)
        print_line("without Prefect", without)
        embedded = [sys.executable, "-m", "flows.meta_pretraining", config, "--home", f"{folder}/embedded"]
        print_line("embedded", measure(embedded, os.environ), without)
        for name, evaluates in (("deployed", "1"), ("evaluated apart", "0")) if deployed else ():
            place = Path(folder) / evaluates
            place.mkdir(mode=0o755)
            with server(config, place) as env:
                seconds, stages = measure_deployed({**env, EVALUATE_AFTER_TRAINING: evaluates})
            print_line(name, seconds, without)
            print(*stages, sep="\n", flush=True)


def write_config(config_path: str, rounds: int, folder: Path) -> str:
    """Write the configuration with exactly ``rounds`` rounds and absolute paths; the path of the file."""
    config = read_config(config_path).model_dump(mode="json", exclude_none=True)
    config["convergence"] |= {"min_rounds": rounds, "max_rounds": rounds}
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump({**config, "home": str(folder / "without")}), encoding="utf-8")
    return str(path)


def measure(command: list[str], env: Mapping[str, str]) -> tuple[float, float]:
    """Wall-clock and CPU seconds of a process and its children, imports included."""
    used, start = cpu_seconds(), time.perf_counter()
    subprocess.run(command, check=True, capture_output=True, env=env)
    return time.perf_counter() - start, cpu_seconds() - used


def measure_deployed(env: Mapping[str, str]) -> tuple[tuple[float, float], list[str]]:
    """Wall-clock and CPU seconds of a run of the deployment, and a line for each of its stages.

    The CPU seconds include those of both workers.
    """
    used = cpu_seconds()
    with running([sys.executable, "-m", "deployments.workers", "cpu", "gpu"], env):
        wait_for_workers(env["PREFECT_API_URL"])
        start = time.perf_counter()
        stages = run_until_completed(env["PREFECT_API_URL"])
        wall = time.perf_counter() - start
    return (wall, cpu_seconds() - used), stages


def run_until_completed(api: str) -> list[str]:
    """Start the main deployment as the UI does, and wait. Raises ``RuntimeError`` if the run fails.

    Returns:
        A line for each stage: when it was created and when it ended, in seconds since the first was created.
    """
    with httpx.Client(base_url=api, auth=AUTH, timeout=60) as client:
        me = str(uuid.uuid4())
        token = client.get("/csrf-token", params={"client": me}).raise_for_status().json()["token"]
        client.headers.update({"Prefect-Csrf-Client": me, "Prefect-Csrf-Token": token})
        deployment = client.get(f"/deployments/name/{MAIN}").raise_for_status().json()
        path = f"/deployments/{deployment['id']}/create_flow_run"
        run = client.post(path, json={"state": {"type": "SCHEDULED"}}).raise_for_status().json()
        while True:
            state = client.get(f"/flow_runs/{run['id']}").raise_for_status().json()["state"]
            if state["type"] == "COMPLETED":
                return stage_lines(client)
            if state["type"] in ("FAILED", "CRASHED", "CANCELLED"):
                raise RuntimeError(f"the run is {state['name']}: {state['message']}")
            time.sleep(0.2)


def stage_lines(client: httpx.Client) -> list[str]:
    """When each stage was created, started and ended."""
    stages = client.post("/flow_runs/filter", json={"sort": "EXPECTED_START_TIME_ASC"}).raise_for_status()
    times = [
        (each["name"], *(datetime.fromisoformat(each[key]) for key in ("created", "start_time", "end_time")))
        for each in stages.json()
    ]
    first = min(created for _, created, _, _ in times)
    return [
        f"    {name:24s} created {(created - first).total_seconds():6.1f}, started "
        f"{(started - first).total_seconds():6.1f}, ended {(ended - first).total_seconds():6.1f}"
        for name, created, started, ended in times
    ]


def cpu_seconds() -> float:
    """CPU seconds of all processes that this one has started and that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def print_line(setup: str, seconds: tuple[float, float], without: tuple[float, float] | None = None) -> None:
    """Print a setup's wall-clock and CPU ``seconds``, and what it adds to those ``without`` Prefect."""
    line = f"{setup:16s} {seconds[0]:7.1f} s ({seconds[1]:.1f} CPU seconds)"
    if without:
        added = seconds[0] - without[0]
        line += f"; added to half an hour: {added:.1f} s, {added / HALF_AN_HOUR:.1%}"
    print(line, flush=True)


@contextmanager
def server(config: str, folder: Path) -> Iterator[dict[str, str]]:
    """A server with all deployments registered; yields the environment that leads to it."""
    env = {
        **os.environ,
        "PREFECT_HOME": str(folder / "prefect"),
        "PREFECT_API_URL": f"http://127.0.0.1:{PORT}/api",
        "PREFECT_API_AUTH_STRING": LOGIN,
        "PREFECT_SERVER_API_AUTH_STRING": LOGIN,
        "METAMAPPING_HOME": str(folder / "deployed"),
    }
    module = [sys.executable, "-m"]
    address = ["--home", str(folder / "server"), "--port", str(PORT)]
    with ExitStack() as stack:
        stack.enter_context(running([*module, "deployments.local_server", *address], env))
        wait_until_ready(env["PREFECT_API_URL"])
        subprocess.run([*module, "deployments.deploy", config], check=True, capture_output=True, env=env)
        yield env


def wait_until_ready(api: str) -> None:
    """Wait until the server answers. Raises ``TimeoutError`` after four minutes."""
    for _ in range(240):
        try:
            if httpx.get(f"{api}/ready", timeout=30).is_success:
                return
        except httpx.HTTPError:
            pass
        time.sleep(1)
    raise TimeoutError("the server did not answer within four minutes")


def wait_for_workers(api: str) -> None:
    """Wait until both pools have a worker, because their start is not part of a run."""
    for _ in range(240):
        states = [
            httpx.get(f"{api}/work_pools/{pool}", auth=AUTH, timeout=30).json()["status"]
            for pool in ("cpu", "gpu")
        ]
        if states == ["READY", "READY"]:
            return
        time.sleep(1)
    raise TimeoutError("the workers did not become ready within four minutes")


def run_without_prefect(config_path: str) -> None:
    """Run the main flow as a plain function."""
    from benchmarks.without_prefect import install

    install()
    from flows.meta_pretraining import meta_pretraining

    config = read_config(config_path)
    meta_pretraining(config.at_home(config.home))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks.orchestration", description=__doc__)
    parser.add_argument("config", nargs="?", default=TINY, metavar="CONFIG.yaml")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--deployed", action="store_true", help="also on a server with PostgreSQL and Redis")
    parser.add_argument("--without", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.without:
        run_without_prefect(options.config)
    else:
        main(options.config, options.rounds, options.deployed)
