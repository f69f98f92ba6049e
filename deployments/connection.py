"""The connection of deploy and workers to the server in PREFECT_API_URL, with errors that say what to do.

with connect() as client:
    ensure_pools(client, "process")
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
from prefect import get_client
from prefect.client.orchestration import SyncPrefectClient

WAIT_SECONDS = 30.0
POLL_SECONDS = 1.0


@contextmanager
def connect(wait_seconds: float = WAIT_SECONDS) -> Iterator[SyncPrefectClient]:
    """Wait until the server answers, and yield a client of it.

    Args:
        wait_seconds: How long to wait for a server that is just starting.

    Yields:
        A client that the server has accepted.

    Raises:
        SystemExit: The address is not set, the server does not answer, or it refuses the login.
    """
    url = os.environ.get("PREFECT_API_URL")
    if not url:
        raise SystemExit(
            "error: PREFECT_API_URL is not set: set it to the address of the server, such as "
            "http://127.0.0.1:4200/api (`make worker` and `make deploy` do that)"
        )
    _wait_until_ready(url, wait_seconds)
    if _status(url) in (401, 403):
        raise SystemExit(
            f"error: the server at {url} refuses the login: set PREFECT_API_AUTH_STRING=user:password to the "
            "PREFECT_SERVER_API_AUTH_STRING that the server was started with"
        )
    with get_client(sync_client=True) as client:
        yield client


def _wait_until_ready(url: str, seconds: float) -> None:
    """Poll the server's health check, and say once that it is waited for."""
    deadline, is_told = time.monotonic() + seconds, False
    while (problem := _problem(url)) is not None:
        if time.monotonic() > deadline:
            raise SystemExit(
                f"error: no Prefect server answers at {url} ({problem}): start it (`make server`)"
            )
        if not is_told:
            print(f"waiting for the server at {url}", flush=True)
            is_told = True
        time.sleep(POLL_SECONDS)


def _problem(url: str) -> str | None:
    """Why the server does not answer yet; ``None`` if it does."""
    try:
        answer = httpx.get(f"{url}/ready", timeout=10)
    except httpx.HTTPError as error:
        return str(error) or type(error).__name__
    return None if answer.is_success else f"status {answer.status_code}"


def _status(url: str) -> int:
    """The status of a request with this machine's login."""
    user, _, password = os.environ.get("PREFECT_API_AUTH_STRING", "").partition(":")
    auth = httpx.BasicAuth(user, password) if user else None
    return httpx.get(f"{url}/admin/version", auth=auth, timeout=30).status_code
