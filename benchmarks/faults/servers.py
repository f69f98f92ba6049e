"""Killed servers: SIGKILL to `metamapping serve` under load, again and again; no acknowledged task is lost.

Clients put, extend, replace and delete tasks of their own as fast as the server answers, and read predictions
in between. After each kill the server is started again on the same folder. Every task must then be as the
last answered request left it, or as the one request without an answer would have left it, and none is
damaged.

    lost = kill_servers(published, folder, num_kills=20, seed=0)
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import numpy as np

NUM_CLIENTS = 6
START_SECONDS = 600.0
# A server is killed after a random number of answers up to this, and then some milliseconds.
MOST_ANSWERS = 100
_MOST_SECONDS = 60.0

# What a task is to its client: its labels and its number of examples; ``None`` where there is no such task.
State = tuple[frozenset[str], int] | None
_EXAMPLES = [
    {"text": "where is my parcel", "label": "delivery"},
    {"text": "the delivery is late", "label": "delivery"},
    {"text": "i want my money back", "label": "refund"},
    {"text": "please refund the order", "label": "refund"},
]


@dataclass
class Client:
    """One client: its tasks as it knows them, and the request that had no answer when the server was killed.

    Attributes:
        name: What its tasks' names begin with.
        tasks: The state of each task after the last answered request.
        unanswered: Name and state of the task that the last request would have left.
        num_answers: Number of answered requests.
        faults: Answers that should not be.
    """

    name: str
    tasks: dict[str, State] = field(default_factory=dict)
    unanswered: tuple[str, State] | None = None
    num_answers: int = 0
    faults: list[str] = field(default_factory=list)

    def work(self, url: str, rng: np.random.Generator) -> None:
        """Send requests until the server does not answer any more."""
        with httpx.Client(base_url=url, timeout=60) as http:
            while True:
                task = f"{self.name}-{rng.integers(3)}"
                method, path, body, after = _request(task, self.tasks.get(task), rng)
                self.unanswered = (task, after)
                try:
                    answer = http.request(method, path, json=body)
                except httpx.TransportError:
                    return
                self.unanswered = None
                self.num_answers += 1
                if answer.is_error:
                    self.faults.append(f"{method} {path} was answered {answer.status_code}: {answer.text}")
                    return
                self.tasks[task] = after

    def differences(self, found: dict[str, State]) -> list[str]:
        """What is not as it was acknowledged; then the tasks that were found count as the known ones."""
        lost = list(self.faults)
        for task in {*self.tasks, *([self.unanswered[0]] if self.unanswered else [])}:
            allowed = [self.tasks.get(task)]
            if self.unanswered is not None and self.unanswered[0] == task:
                allowed.append(self.unanswered[1])
            if found.get(task) not in allowed:
                lost.append(f"{task} is {found.get(task)}, acknowledged was {allowed}")
        self.tasks = {task: state for task, state in found.items() if task.startswith(f"{self.name}-")}
        self.unanswered, self.faults = None, []
        return lost


def _request(task: str, state: State, rng: np.random.Generator) -> tuple[str, str, Any, State]:
    """The next request about a task: method, path, body, and what the task is afterwards."""
    path, chance = f"/tasks/{task}", rng.random()
    if state is None or chance < 0.3:
        return "PUT", path, {"examples": _EXAMPLES}, (frozenset({"delivery", "refund"}), len(_EXAMPLES))
    if chance < 0.45:
        return "DELETE", path, None, None
    if chance < 0.6:
        return "POST", f"{path}/predict", {"texts": ["my money"]}, state
    label = f"label-{rng.integers(100)}"
    after = (state[0] | {label}, state[1] + 1)
    return "POST", f"{path}/examples", {"examples": [{"text": f"about {label}", "label": label}]}, after


class ServerProcess:
    """`metamapping serve` in a process of its own, ready when the block begins and killed when it ends."""

    def __init__(self, published: Path, tasks: Path, log: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.url, self._log = f"http://127.0.0.1:{port}", log
        command = [sys.executable, "-m", "metamapping", "serve", str(published), "--port", str(port)]
        with log.open("ab") as out:
            self._process = subprocess.Popen(
                [*command, "--tasks", str(tasks)], stdout=out, stderr=out, env=dict(os.environ)
            )

    def __enter__(self) -> ServerProcess:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                if httpx.get(f"{self.url}/health").status_code == 200:
                    return self
            except httpx.TransportError:
                pass
            time.sleep(0.05)
        self.kill()
        raise TimeoutError(f"the server is not ready:\n{self._log.read_text(errors='replace')[-2000:]}")

    def __exit__(self, *_: object) -> None:
        self.kill()

    def kill(self) -> None:
        """SIGKILL."""
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def states(self) -> tuple[dict[str, State], list[str]]:
        """The tasks as the server has them, and those that are damaged."""
        with httpx.Client(base_url=self.url, timeout=60) as http:
            answer = http.get("/tasks").raise_for_status().json()
        states: dict[str, State] = {
            task["name"]: (frozenset(task["labels"]), task["num_examples"]) for task in answer["tasks"]
        }
        return states, [f"{name} is damaged: {reason}" for name, reason in answer["damaged"].items()]


def kill_servers(published: Path, folder: Path, *, num_kills: int, seed: int) -> tuple[list[list[str]], int]:
    """Kill a server under load, and compare its tasks with what it had acknowledged.

    Args:
        published: The encoder.
        folder: A new folder for the tasks and the server's log.
        num_kills: How many times the server is killed.
        seed: Decides requests and moments.

    Returns:
        What was lost at each kill, and the number of answered requests.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng([seed])
    clients = [Client(f"client-{number}") for number in range(NUM_CLIENTS)]
    lost: list[list[str]] = []
    for kill in range(num_kills + 1):
        with ServerProcess(published, folder / "tasks", folder / "server.log") as server:
            if kill:
                lost.append(_compare(server, clients))
                answers = sum(each.num_answers for each in clients)
                print(
                    f"kill {kill} after {answers} answers: {'; '.join(lost[-1]) or 'nothing lost'}",
                    flush=True,
                )
            if kill == num_kills:
                break
            threads = [
                threading.Thread(target=each.work, args=(server.url, np.random.default_rng([seed, kill, n])))
                for n, each in enumerate(clients)
            ]
            for thread in threads:
                thread.start()
            _wait_for_answers(clients, int(rng.integers(MOST_ANSWERS)))
            time.sleep(rng.uniform(0.0, 0.05))
            server.kill()
            for thread in threads:
                thread.join()
    return lost, sum(each.num_answers for each in clients)


def _wait_for_answers(clients: list[Client], num: int) -> None:
    wanted = num + sum(each.num_answers for each in clients)
    deadline = time.monotonic() + _MOST_SECONDS
    while sum(each.num_answers for each in clients) < wanted and time.monotonic() < deadline:
        time.sleep(0.001)


def _compare(server: ServerProcess, clients: list[Client]) -> list[str]:
    found, damaged = server.states()
    return [*damaged, *(each for client in clients for each in client.differences(found))]
