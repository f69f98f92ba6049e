"""Long-lived processes that are started and stopped together.

with running([sys.executable, "-m", "prefect", "server", "start"], env) as server:
    wait_for_exit({"server": server})
"""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import NoReturn

STOP_SECONDS = 60.0

Processes = Mapping[str, subprocess.Popen[bytes]]  # by a name for error messages


def read_env_file(path: Path) -> dict[str, str]:
    """Read the ``NAME=value`` lines of an environment file, as Docker Compose does.

    Args:
        path: The file. Empty lines and lines that begin with `#` are skipped.

    Returns:
        Values by name.
    """
    lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    return dict(line.split("=", maxsplit=1) for line in lines if line and not line.startswith("#"))


@contextmanager
def running(
    command: Sequence[str], env: Mapping[str, str], *, log: Path | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Start a process, and stop it at the end of the block.

    Args:
        command: The program and its arguments.
        env: The whole environment of the process.
        log: A file to which its output is appended; default: the output of this process.
    """
    process = start(command, env, log=log)
    try:
        yield process
    finally:
        stop(process)


def start(
    command: Sequence[str], env: Mapping[str, str], *, log: Path | None = None
) -> subprocess.Popen[bytes]:
    """Start a process in a new session, so that Ctrl-C in this terminal does not reach it.

    Args:
        command: The program and its arguments.
        env: The whole environment of the process.
        log: A file to which its output is appended; default: the output of this process.
    """
    with log.open("ab") if log else nullcontext() as output:
        return subprocess.Popen(
            list(command),
            env=dict(env),
            start_new_session=True,
            stdout=output,
            stderr=subprocess.STDOUT if output else None,
        )


def stop(*processes: subprocess.Popen[bytes], seconds: float = STOP_SECONDS) -> None:
    """Send SIGTERM to all processes, and SIGKILL to those that have not ended in time.

    Args:
        *processes: The processes to stop; those that have ended are ignored.
        seconds: How long to wait for each process before SIGKILL.
    """
    alive = [process for process in processes if process.poll() is None]
    for process in alive:
        process.send_signal(signal.SIGTERM)
    for process in alive:
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def interrupt_on_sigterm() -> None:
    """Let SIGTERM raise ``KeyboardInterrupt``, so that this process stops the others before it ends."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    # A script that starts this one in the background (`make worker &`) leaves SIGINT ignored, here and in
    # all processes that are started from here. Prefect's worker is stopped by SIGINT, and would ignore it.
    signal.signal(signal.SIGINT, signal.default_int_handler)


def check_running(processes: Processes) -> None:
    """Check that no process has ended by itself.

    Args:
        processes: The processes to check.

    Raises:
        SystemExit: One of them has ended.
    """
    for name, process in processes.items():
        if process.poll() is not None:
            raise SystemExit(
                f"error: {name} ended with exit code {process.returncode}: see the last lines of its output "
                "or its log"
            )


def wait_for_exit(processes: Processes) -> NoReturn:
    """Wait until Ctrl-C or SIGTERM.

    Args:
        processes: The processes that run until then.

    Raises:
        KeyboardInterrupt: On Ctrl-C, and on SIGTERM after ``interrupt_on_sigterm``.
        SystemExit: One of the processes ended by itself.
    """
    while True:
        check_running(processes)
        time.sleep(0.5)
