"""What Prefect costs: the same run with and without it, as a share of half an hour.

    python -m benchmarks.orchestration [CONFIG.yaml] [--rounds 2] [--deployed]

In: a configuration (nothing given: tests/e2e/tiny.yaml). Out: the seconds of the same functions without
Prefect, of the flow with its embedded Prefect, and with ``--deployed`` of the deployment on a server with
PostgreSQL, Redis and two workers, where every stage is a process of its own. What Prefect adds hangs on
the number of tasks and stages, not on how long they work: so the difference is the cost for a long run of
as many rounds. Processor seconds stand beside, which a busy machine distorts less.
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
from pathlib import Path

import httpx
import yaml

from deployments.deploy import MAIN
from deployments.processes import running
from metamapping.config.loading import read_config

HALF_AN_HOUR = 1_800.0
TINY = "tests/e2e/tiny.yaml"
PORT = 15_400


def main(config_path: str, rounds: int, deployed: bool) -> None:
    """Run every way once, and print the table."""
    with tempfile.TemporaryDirectory(prefix="metamapping-orchestration-") as folder:
        Path(folder).chmod(0o755)  # PostgreSQL has a user of its own
        config = write_config(config_path, rounds, Path(folder))
        without = measure([sys.executable, "-m", __spec__.name, config, "--without"], os.environ)
        show("without Prefect", without)
        embedded = [sys.executable, "-m", "flows.meta_pretraining", config, "--home", f"{folder}/embedded"]
        show("embedded", measure(embedded, os.environ), without)
        if deployed:
            with server(config, Path(folder)) as env:
                show("deployed", measure_deployed(env), without)


def write_config(config_path: str, rounds: int, folder: Path) -> str:
    """The configuration with exactly so many rounds, its files' paths made absolute."""
    config = read_config(config_path).model_dump(mode="json", exclude_none=True)
    config["convergence"] |= {"min_rounds": rounds, "max_rounds": rounds}
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump({**config, "home": str(folder / "without")}), encoding="utf-8")
    return str(path)


def measure(command: list[str], env: Mapping[str, str]) -> tuple[float, float]:
    """Wall-clock and processor seconds of a process and its children, imports included."""
    used, start = processor_seconds(), time.perf_counter()
    subprocess.run(command, check=True, capture_output=True, env=env)
    return time.perf_counter() - start, processor_seconds() - used


def measure_deployed(env: Mapping[str, str]) -> tuple[float, float]:
    """The same of a run of the deployment; its processor seconds are those of both workers as well."""
    used = processor_seconds()
    with running([sys.executable, "-m", "deployments.workers", "cpu", "gpu"], env):
        wait_for_workers(env["PREFECT_API_URL"])
        start = time.perf_counter()
        run_to_its_end(env["PREFECT_API_URL"])
        wall = time.perf_counter() - start
    return wall, processor_seconds() - used


def run_to_its_end(api: str) -> None:
    """Start the main deployment as the UI does, and wait. Raises ``RuntimeError`` where it fails."""
    with httpx.Client(base_url=api, timeout=60) as client:
        me = str(uuid.uuid4())
        token = client.get("/csrf-token", params={"client": me}).raise_for_status().json()["token"]
        client.headers.update({"Prefect-Csrf-Client": me, "Prefect-Csrf-Token": token})
        deployment = client.get(f"/deployments/name/{MAIN}").raise_for_status().json()
        path = f"/deployments/{deployment['id']}/create_flow_run"
        run = client.post(path, json={"state": {"type": "SCHEDULED"}}).raise_for_status().json()
        while True:
            state = client.get(f"/flow_runs/{run['id']}").raise_for_status().json()["state"]
            if state["type"] == "COMPLETED":
                return
            if state["type"] in ("FAILED", "CRASHED", "CANCELLED"):
                raise RuntimeError(f"the run is {state['name']}: {state['message']}")
            time.sleep(0.2)


def processor_seconds() -> float:
    """Of all processes that this one has started and that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def show(way: str, seconds: tuple[float, float], without: tuple[float, float] | None = None) -> None:
    """One line of the table."""
    line = f"{way:16s} {seconds[0]:7.1f} s ({seconds[1]:.1f} s of a processor)"
    if without:
        added = seconds[0] - without[0]
        line += f"; added {added:.1f} s: {added / HALF_AN_HOUR:.1%} of half an hour"
    print(line, flush=True)


@contextmanager
def server(config: str, folder: Path) -> Iterator[dict[str, str]]:
    """A server with everything deployed; yields the environment to reach it."""
    env = {
        **os.environ,
        "PREFECT_HOME": str(folder / "prefect"),
        "PREFECT_API_URL": f"http://127.0.0.1:{PORT}/api",
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
    """Until the server answers; raises ``TimeoutError`` after four minutes."""
    for _ in range(240):
        try:
            if httpx.get(f"{api}/ready", timeout=30).is_success:
                return
        except httpx.HTTPError:
            pass
        time.sleep(1)
    raise TimeoutError("the server did not answer within four minutes")


def wait_for_workers(api: str) -> None:
    """Until both pools have a worker, whose own start is no part of a run."""
    for _ in range(240):
        states = [
            httpx.get(f"{api}/work_pools/{pool}", timeout=30).json()["status"] for pool in ("cpu", "gpu")
        ]
        if states == ["READY", "READY"]:
            return
        time.sleep(1)
    raise TimeoutError("no workers within four minutes")


def run_without_prefect(config_path: str) -> None:
    """The main flow as a plain function."""
    from benchmarks.without_prefect import install

    install()
    from flows.meta_pretraining import meta_pretraining

    config = read_config(config_path)
    meta_pretraining(config.at_home(config.home))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks.orchestration", description=__doc__)
    parser.add_argument("config", nargs="?", default=TINY, metavar="CONFIG.yaml")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--deployed", action="store_true", help="on a server as well: PostgreSQL and Redis")
    parser.add_argument("--without", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.without:
        run_without_prefect(options.config)
    else:
        main(options.config, options.rounds, options.deployed)
