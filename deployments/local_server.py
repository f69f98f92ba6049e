"""The whole Prefect server as local processes, for machines without Docker: ``make server``.

It starts PostgreSQL, Redis, the API with the UI, and the background services, with the same settings as
docker-compose.yml. All listen on 127.0.0.1 only: the API on ``--port``, PostgreSQL and Redis on the next
two ports. Data and passwords are kept in ``--home`` between starts. Ctrl-C ends all four. If
PREFECT_SERVER_API_AUTH_STRING=user:password is set in the environment, the API requires it.
"""

from __future__ import annotations

import argparse
import os
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path

import httpx

from deployments.processes import interrupt_on_sigterm, read_env_file, running, wait_for_exit

HOST = "127.0.0.1"
START_SECONDS = 180.0
PREFECT = [sys.executable, "-m", "prefect"]


def main(home: Path, port: int) -> None:
    """Start everything, print the address, and wait for Ctrl-C or SIGTERM.

    Args:
        home: Folder for data and passwords.
        port: Port of the API; PostgreSQL and Redis use the next two.

    Raises:
        SystemExit: A program is missing, or did not start in time.
    """
    home.mkdir(parents=True, exist_ok=True)
    password = read_password(home / "password")
    env = server_env(port, password)
    interrupt_on_sigterm()
    with suppress(KeyboardInterrupt), ExitStack() as stack:
        processes = {
            "PostgreSQL": stack.enter_context(running(postgres_command(home, port + 1), os.environ)),
            "Redis": stack.enter_context(running(redis_command(home, port + 2, password), os.environ)),
        }
        wait_for_postgres(port + 1, password)
        subprocess.run([*PREFECT, "server", "database", "upgrade", "-y"], env=env, check=True)
        api = [*PREFECT, "server", "start", "--no-services", "--host", HOST, "--port", str(port)]
        processes["API"] = stack.enter_context(running(api, env))
        processes["services"] = stack.enter_context(running([*PREFECT, "server", "services", "start"], env))
        wait_for_api(port, env.get("PREFECT_SERVER_API_AUTH_STRING"))
        print(f"ready: http://{HOST}:{port}", flush=True)
        wait_for_exit(processes)


def server_env(port: int, password: str) -> dict[str, str]:
    """The environment of the API and the background services.

    Args:
        port: Port of the API.
        password: Password of PostgreSQL and Redis.
    """
    redis = f"redis://:{password}@{HOST}:{port + 2}"
    addresses = {
        "PREFECT_API_URL": f"http://{HOST}:{port}/api",
        "PREFECT_SERVER_DATABASE_CONNECTION_URL": (
            f"postgresql+asyncpg://prefect:{password}@{HOST}:{port + 1}/postgres"
        ),
        "PREFECT_REDIS_MESSAGING_URL": f"{redis}/0",
        "PREFECT_REDIS_WORKER_CLEANUP_QUEUE_URL": f"{redis}/0",
        "PREFECT_SERVER_DOCKET_URL": f"{redis}/1",
    }
    return {**read_env_file(Path(__file__).parent / "server.env"), **os.environ, **addresses}


def postgres_command(home: Path, port: int) -> list[str]:
    """The command of PostgreSQL; the first call creates its data folder.

    Args:
        home: Folder for data and passwords; it has the file `password`.
        port: Port on 127.0.0.1.

    Raises:
        SystemExit: PostgreSQL is not installed.
    """
    data, as_user = home / "postgres", postgres_user(home)
    if not (data / "PG_VERSION").is_file():
        initialise = [postgres_program("initdb"), "--pgdata", str(data), "--username", "prefect"]
        initialise += ["--auth", "scram-sha-256", "--encoding", "UTF8", "--pwfile", str(home / "password")]
        subprocess.run([*as_user, *initialise], check=True, stdout=subprocess.DEVNULL)
    settings = [f"listen_addresses={HOST}", "unix_socket_directories=", "log_min_messages=error"]
    options = [word for setting in settings for word in ("-c", setting)]
    return [*as_user, postgres_program("postgres"), "-D", str(data), "-p", str(port), *options]


def postgres_user(home: Path) -> list[str]:
    """A command prefix that runs PostgreSQL as its package's user, if this process is root's.

    PostgreSQL does not start as root.

    Args:
        home: Folder for data and passwords, which this user becomes the owner of.

    Returns:
        The words of the prefix; empty if this process is not root's.
    """
    if os.geteuid() != 0:
        return []
    for path in (home, home / "password"):
        shutil.chown(path, "postgres", "postgres")
    return ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]


def postgres_program(name: str) -> str:
    """The path of a program of the newest installed PostgreSQL; Debian has them outside of PATH.

    Args:
        name: Name of the program, such as `initdb`.

    Raises:
        SystemExit: PostgreSQL is not installed.
    """
    installed = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return str(installed[-1]) if installed else program(name)


def redis_command(home: Path, port: int, password: str) -> list[str]:
    """The command of Redis. Its settings are written to a file that only the owner can read.

    Args:
        home: Folder for the file of settings and for data.
        port: Port on 127.0.0.1.
        password: Password that clients must send.

    Raises:
        SystemExit: Redis is not installed.
    """
    settings = {
        "bind": HOST,
        "port": port,
        "requirepass": password,
        "dir": f'"{home}"',
        "loglevel": "warning",
    }
    path = home / "redis.conf"
    path.touch(mode=0o600)
    path.write_text("".join(f"{name} {value}\n" for name, value in settings.items()), encoding="utf-8")
    return [program("redis-server"), str(path)]


def program(name: str) -> str:
    """The path of an installed program.

    Args:
        name: Name of the program.

    Raises:
        SystemExit: It is not installed; the message says what to install.
    """
    found = shutil.which(name)
    if found is None:
        raise SystemExit(
            f"error: the program {name!r} is missing: install PostgreSQL and Redis (Debian and "
            "Ubuntu: apt install postgresql redis-server), or use docker compose"
        )
    return found


def wait_for_postgres(port: int, password: str) -> None:
    """Wait until PostgreSQL answers a query.

    Args:
        port: Port on 127.0.0.1.
        password: Password of the user `prefect`.

    Raises:
        SystemExit: It did not answer within ``START_SECONDS``, or `psql` is not installed.
    """
    address = ["--host", HOST, "--port", str(port), "--username", "prefect", "postgres"]
    probe = [program("psql"), *address, "--quiet", "--command", "select 1"]
    env = {**os.environ, "PGPASSWORD": password}
    wait_until(lambda: subprocess.run(probe, env=env, capture_output=True).returncode == 0, "PostgreSQL")


def wait_for_api(port: int, auth: str | None) -> None:
    """Wait until the API accepts requests.

    Args:
        port: Port on 127.0.0.1.
        auth: ``user:password`` if the API requires it.

    Raises:
        SystemExit: It did not answer within ``START_SECONDS``.
    """
    user, _, password = (auth or "").partition(":")

    def is_ready() -> bool:
        try:
            return httpx.get(f"http://{HOST}:{port}/api/ready", auth=(user, password)).is_success
        except httpx.HTTPError:
            return False

    wait_until(is_ready, "the API")


def wait_until(is_done: Callable[[], bool], what: str) -> None:
    """Poll a condition twice a second.

    Args:
        is_done: The condition.
        what: What is waited for, for the error message.

    Raises:
        SystemExit: It was not met within ``START_SECONDS``.
    """
    deadline = time.monotonic() + START_SECONDS
    while not is_done():
        if time.monotonic() > deadline:
            raise SystemExit(f"error: {what} did not answer within {START_SECONDS:.0f} seconds")
        time.sleep(0.5)


def read_password(path: Path) -> str:
    """The password of PostgreSQL and Redis; the first call generates it. Only the owner can read it.

    Args:
        path: The file of the password.
    """
    if not path.is_file():
        path.touch(mode=0o600)
        path.write_text(secrets.token_urlsafe(24), encoding="utf-8")
    return path.read_text(encoding="utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m deployments.local_server", description=__doc__)
    parser.add_argument("--home", type=Path, default=Path(".metamapping/server"))
    parser.add_argument("--port", type=int, default=4200)
    options = parser.parse_args()
    main(options.home.absolute(), options.port)
