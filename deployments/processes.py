"""Several long-lived processes as one: they are started together and stopped together."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

STOP_SECONDS = 60.0


def read_env_file(path: Path) -> dict[str, str]:
    """The ``NAME=value`` lines of a file that Docker Compose reads too."""
    lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    return dict(line.split("=", maxsplit=1) for line in lines if line and not line.startswith("#"))


@contextmanager
def running(command: Sequence[str], env: Mapping[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """A process, stopped at the end of the block."""
    process = start(command, env)
    try:
        yield process
    finally:
        stop(process)


def start(command: Sequence[str], env: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """A process in a session of its own, which Ctrl-C in this one's terminal does not reach."""
    return subprocess.Popen(list(command), env=dict(env), start_new_session=True)


def stop(*processes: subprocess.Popen[bytes], seconds: float = STOP_SECONDS) -> None:
    """Ask all of them to end, wait, and insist."""
    going_on = [process for process in processes if process.poll() is None]
    for process in going_on:
        process.send_signal(signal.SIGTERM)
    for process in going_on:
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def end_at_sigterm() -> None:
    """Let SIGTERM end this process as Ctrl-C does, so that it stops the others first."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    # A script that starts this one in the background (`make worker &`) leaves SIGINT ignored, here and in
    # all that is started from here. Prefect's worker ends by SIGINT: it would wait to be killed.
    signal.signal(signal.SIGINT, signal.default_int_handler)


def wait_for_end(processes: Mapping[str, subprocess.Popen[bytes]]) -> NoReturn:
    """Until Ctrl-C or SIGTERM; raises ``RuntimeError`` when one of them ends by itself."""
    while True:
        for name, process in processes.items():
            if process.poll() is not None:
                raise RuntimeError(
                    f"{name} ended with exit code {process.returncode}: its last lines above say why"
                )
        time.sleep(0.5)
