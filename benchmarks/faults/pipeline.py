"""The pipeline under test: processes that may be killed, each of which is a real run of the main flow.

``Forks`` keeps one process that has done all imports but has initialised nothing of TensorFlow, and forks it
for every attempt. An attempt runs the code of the flows and tasks, with stand-ins for Prefect's names
(``benchmarks/without_prefect.py``), and executes its few meta-steps eagerly, since compiling them would take
longer than everything else together. ``Commands`` starts ``python -m flows.meta_pretraining``, with its
embedded Prefect, its imports and compiled steps.

    with Forks() as pipeline:
        attempt = pipeline.start(config, home)
        attempt.kill()
        assert attempt.wait() == -signal.SIGKILL
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
TINY = ROOT / "tests/e2e/tiny.yaml"
TIMEOUT_SECONDS = 300.0
LOGS = Path(tempfile.gettempdir()) / f"metamapping-attempts-{os.getpid()}"


@dataclass
class Attempt:
    """One process that runs the pipeline; its output goes to ``log``."""

    pid: int
    log: Path
    server: Any  # the Popen of the process itself, or of the one that forked it
    is_fork: bool
    started: float = field(default_factory=time.monotonic)
    _status: int | None = None

    def poll(self) -> int | None:
        """The exit code, negative for a signal; ``None`` while it runs."""
        if self._status is None:
            self._status = self._forked_status() if self.is_fork else self.server.poll()
        return self._status

    def wait(self, seconds: float = TIMEOUT_SECONDS) -> int:
        """Wait for the exit code. After ``seconds``, kills the process and raises ``TimeoutError``."""
        deadline = time.monotonic() + seconds
        while (status := self.poll()) is None:
            if time.monotonic() > deadline:
                self.kill()
                raise TimeoutError(f"not done within {seconds:.0f} s:\n{self.output()}")
            time.sleep(0.005)
        return status

    def kill(self) -> None:
        """Send SIGKILL, and stop the embedded Prefect server that a killed command leaves behind."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        if not self.is_fork:
            with suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGTERM)

    def output(self) -> str:
        """Everything that the process has printed so far."""
        return self.log.read_text(errors="replace") if self.log.is_file() else ""

    def _forked_status(self) -> int | None:
        path = self.log.with_suffix(".status")
        return int(path.read_text()) if path.is_file() else None


class Forks:
    """Attempts without Prefect, forked from one process that has done the imports."""

    name = "stages alone"

    def __init__(self, *, env: dict[str, str] | None = None) -> None:
        self._env = env or {}
        self._server: subprocess.Popen[str] | None = None

    def __enter__(self) -> Forks:
        self._server = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.faults.pipeline"],
            cwd=ROOT,
            env={**os.environ, "PYTHONUNBUFFERED": "1", **self._env},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._answer() == "ready"
        return self

    def __exit__(self, *_: object) -> None:
        assert self._server is not None
        assert self._server.stdin is not None
        self._server.stdin.close()
        self._server.wait(60)

    def start(self, config: Path, home: Path, *, env: dict[str, str] | None = None) -> Attempt:
        """Start a new attempt with this ``home``; its output goes to a file in the temporary folder."""
        log = _new_log(home)
        assert self._server is not None
        assert self._server.stdin is not None
        order = {"config": str(config), "home": str(home), "log": str(log), "env": env or {}}
        self._server.stdin.write(json.dumps(order) + "\n")
        self._server.stdin.flush()
        return Attempt(int(self._answer()), log, self._server, is_fork=True)

    def _answer(self) -> str:
        assert self._server is not None
        assert self._server.stdout is not None
        line = self._server.stdout.readline().strip()
        if not line:
            raise RuntimeError("the process that forks attempts has ended")
        return line


class Commands:
    """Attempts as a user starts them: the command with its embedded Prefect."""

    name = "the command with Prefect"

    def __enter__(self) -> Commands:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def start(self, config: Path, home: Path, *, env: dict[str, str] | None = None) -> Attempt:
        """Start a new attempt with this ``home``; its output goes to a file in the temporary folder."""
        log = _new_log(home)
        prefect_home = home.with_name(f"{home.name}-prefect")
        prefect_home.mkdir(parents=True, exist_ok=True)
        environment = {
            **os.environ,
            "PREFECT_HOME": str(prefect_home),
            "PYTHONUNBUFFERED": "1",
            **(env or {}),
        }
        environment.pop("PREFECT_API_URL", None)
        with log.open("wb") as out:
            process = subprocess.Popen(
                [sys.executable, "-m", "flows.meta_pretraining", str(config), "--home", str(home)],
                cwd=ROOT,
                env=environment,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        return Attempt(process.pid, log, process, is_fork=False)


def finish(attempt: Attempt) -> str:
    """Wait for exit code 0 and return the output. Raises ``AssertionError`` with it otherwise."""
    status = attempt.wait()
    assert status == 0, f"exit code {status}\n{attempt.output()}"
    return attempt.output()


def _new_log(home: Path) -> Path:
    """The path of a new log file, not next to the home, whose disk may be full."""
    home.parent.mkdir(parents=True, exist_ok=True)
    LOGS.mkdir(exist_ok=True)
    return LOGS / f"{home.name}-{time.time_ns()}.log"


def _serve() -> None:
    """Fork once for each line of standard input, and store the exit code of each child."""
    from benchmarks.without_prefect import install

    install()
    # What the stages import only where they need it, too: it was a third of an attempt.
    import datasets  # noqa: F401
    import matplotlib.backends.backend_agg  # noqa: F401
    import rensa  # noqa: F401
    import scipy.special
    import scipy.stats  # noqa: F401
    import tensorflow as tf
    from tokenizers import BertWordPieceTokenizer  # noqa: F401
    from transformers import AutoTokenizer, BertTokenizerFast  # noqa: F401

    import flows.meta_pretraining  # noqa: F401
    import metamapping.adaptation.evaluation.evaluation
    import metamapping.interop.families
    import metamapping.publishing.published_model
    import metamapping.training.loop  # noqa: F401

    tf.config.run_functions_eagerly(True)
    children: dict[int, str] = {}
    signal.signal(signal.SIGCHLD, lambda *_: _reap(children))
    print("ready", flush=True)
    for line in iter(sys.stdin.readline, ""):
        order = json.loads(line)
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCHLD])
        pid = os.fork()
        if pid == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGCHLD])
            _attempt(order)
        children[pid] = order["log"]
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGCHLD])
        print(pid, flush=True)
    while children:
        time.sleep(0.05)


def _reap(children: dict[int, str]) -> None:
    for pid in list(children):
        found, status = os.waitpid(pid, os.WNOHANG)
        if found:
            path = Path(children.pop(pid)).with_suffix(".status")
            temporary = path.with_suffix(".tmp")
            temporary.write_text(str(os.waitstatus_to_exitcode(status)))
            temporary.rename(path)


def _attempt(order: dict[str, Any]) -> None:
    """Do what the main command does, in a forked child; never returns."""
    os.setsid()
    os.environ.update(order["env"])
    log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    null = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((null, 0), (log, 1), (log, 2)):
        os.dup2(source, target)
    code = 1
    try:
        from flows.cli import main
        from flows.meta_pretraining import meta_pretraining

        code = main(meta_pretraining, [order["config"], "--home", order["home"]])
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    _serve()
