"""The whole Prefect server as local processes, for machines without Docker: ``make server``.

It starts PostgreSQL, Redis, the API with the UI, and the background services, with the same settings as
docker-compose.yml. All listen on 127.0.0.1 only: the API on ``--port``, PostgreSQL and Redis on the next
two ports. Data, logs and passwords are kept in ``--home`` between starts, for their owner only. Ctrl-C ends
all four. PREFECT_SERVER_API_AUTH_STRING=user:password must be set in the environment; UI and API require it.
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

from deployments.api import AUTH, check_login
from deployments.processes import (
    Processes,
    check_running,
    interrupt_on_sigterm,
    read_env_file,
    running,
    wait_for_exit,
)

HOST = "127.0.0.1"
START_SECONDS = 180.0
PREFECT = [sys.executable, "-m", "prefect"]


def main(home: Path, port: int) -> None:
    """Start everything, print the address, and wait for Ctrl-C or SIGTERM.

    Args:
        home: Folder for data and passwords.
        port: Port of the API; PostgreSQL and Redis use the next two.

    Raises:
        SystemExit: The login or a program is missing, or a process did not start in time.
    """
    login = check_login(os.environ.get(AUTH))
    # Files that PostgreSQL, Redis and this process create are for their owner only.
    os.umask(0o077)
    home.mkdir(parents=True, exist_ok=True)
    home.chmod(0o700)
    password, redis_password = read_password(home / "password"), read_password(home / "redis-password")
    env = server_env(port, password, redis_password)
    postgres, redis = postgres_command(home, port + 1), redis_command(home, port + 2, redis_password)
    interrupt_on_sigterm()
    with suppress(KeyboardInterrupt), ExitStack() as stack:
        processes = {
            "PostgreSQL": stack.enter_context(running(postgres, os.environ, log=home / "postgres.log")),
            "Redis": stack.enter_context(running(redis, os.environ, log=home / "redis.log")),
        }
        wait_for_postgres(port + 1, password, processes)
        upgrade_database(env)
        api = [sys.executable, "-m", "deployments.api", "--host", HOST, "--port", str(port)]
        processes["API"] = stack.enter_context(running(api, env))
        processes["services"] = stack.enter_context(running([*PREFECT, "server", "services", "start"], env))
        wait_for_api(port, login, processes)
        print(f"ready: http://{HOST}:{port}", flush=True)
        wait_for_exit(processes)


def server_env(port: int, password: str, redis_password: str) -> dict[str, str]:
    """The environment of the API and the background services.

    Args:
        port: Port of the API.
        password: Password of PostgreSQL.
        redis_password: Password of Redis.
    """
    redis = f"redis://:{redis_password}@{HOST}:{port + 2}"
    # The origins of the UI itself; pages of other origins may not call the API.
    origins = {"PREFECT_SERVER_CORS_ALLOWED_ORIGINS": f"http://{HOST}:{port},http://localhost:{port}"}
    addresses = {
        "PREFECT_API_URL": f"http://{HOST}:{port}/api",
        "PREFECT_SERVER_DATABASE_CONNECTION_URL": (
            f"postgresql+asyncpg://prefect:{password}@{HOST}:{port + 1}/postgres"
        ),
        "PREFECT_REDIS_MESSAGING_URL": f"{redis}/0",
        "PREFECT_REDIS_WORKER_CLEANUP_QUEUE_URL": f"{redis}/0",
        "PREFECT_SERVER_DOCKET_URL": f"{redis}/1",
    }
    return {**read_env_file(Path(__file__).parent / "server.env"), **origins, **os.environ, **addresses}


def upgrade_database(env: dict[str, str]) -> None:
    """Create the tables of the database, or bring those of an earlier version up to date.

    Args:
        env: The environment of the server.

    Raises:
        SystemExit: That failed; the message contains Prefect's last output lines.
    """
    command = [*PREFECT, "server", "database", "upgrade", "-y"]
    ended = subprocess.run(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if ended.returncode:
        raise SystemExit(f"error: the database could not be prepared:\n{ended.stdout[-2_000:]}")


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
        home: Folder for data and passwords, which this user becomes the owner of; root can still use it.

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


def wait_for_postgres(port: int, password: str, processes: Processes) -> None:
    """Wait until PostgreSQL answers a query.

    Args:
        port: Port on 127.0.0.1.
        password: Password of the user `prefect`.
        processes: The processes of the server so far, by name.

    Raises:
        SystemExit: It did not answer within ``START_SECONDS``, one of the processes has ended, or `psql` is
            not installed.
    """
    address = ["--host", HOST, "--port", str(port), "--username", "prefect", "postgres"]
    probe = [program("psql"), *address, "--quiet", "--command", "select 1"]
    env = {**os.environ, "PGPASSWORD": password}

    def is_ready() -> bool:
        return subprocess.run(probe, env=env, capture_output=True).returncode == 0

    wait_until(is_ready, "PostgreSQL", processes)


def wait_for_api(port: int, login: str, processes: Processes) -> None:
    """Wait until the API accepts requests.

    Args:
        port: Port on 127.0.0.1.
        login: ``user:password``, which the API requires.
        processes: The processes of the server, by name.

    Raises:
        SystemExit: It did not answer within ``START_SECONDS``, or one of the processes has ended.
    """
    user, _, password = login.partition(":")

    def is_ready() -> bool:
        try:
            return httpx.get(f"http://{HOST}:{port}/api/ready", auth=(user, password)).is_success
        except httpx.HTTPError:
            return False

    wait_until(is_ready, "the API", processes)


def wait_until(is_done: Callable[[], bool], what: str, processes: Processes) -> None:
    """Poll a condition twice a second.

    Args:
        is_done: The condition.
        what: What is waited for, for the error message.
        processes: Processes that must not end meanwhile, by name.

    Raises:
        SystemExit: It was not met within ``START_SECONDS``, or one of the processes has ended.
    """
    deadline = time.monotonic() + START_SECONDS
    while not is_done():
        check_running(processes)
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
