"""The process that listens for HTTP requests until SIGTERM or Ctrl-C.

    run_server(service, host="127.0.0.1", port=8080, key=None)

It listens at once, and answers 503 until the encoder is loaded. On SIGTERM and Ctrl-C, requests in progress
are finished first, and a task that is being tuned keeps the best so far.
"""

from __future__ import annotations

import threading

import uvicorn

from metamapping.serving.app import build_app
from metamapping.serving.patience import TimeLimitedProtocol
from metamapping.serving.service import Service

_MAX_CONNECTIONS = 1_000  # more are answered 503 before their request is read
_SHUTDOWN_SECONDS = 30


def run_server(service: Service, *, host: str, port: int, key: str | None) -> None:
    """Serve until SIGTERM or SIGINT.

    Args:
        service: The service; it is loaded in a thread while the server already listens.
        host: Address to listen on.
        port: Port to listen on.
        key: API key that requests must send, or ``None``.

    Raises:
        FileNotFoundError: There is no published encoder; the server ends.
        StoreError: The published encoder is damaged; the server ends.
    """
    config = uvicorn.Config(
        build_app(service, key=key),
        host=host,
        port=port,
        access_log=False,  # /metrics counts requests; task names stay out of the log
        server_header=False,
        http=TimeLimitedProtocol,
        ws="none",
        limit_concurrency=_MAX_CONNECTIONS,
        timeout_graceful_shutdown=_SHUTDOWN_SECONDS,
    )
    server = uvicorn.Server(config)
    failures: list[Exception] = []

    def load() -> None:
        try:
            service.load()
        except Exception as error:
            failures.append(error)
            server.should_exit = True

    threading.Thread(target=load, name="loading", daemon=True).start()
    try:
        server.run()
    finally:
        service.jobs.close()
    if failures:
        raise failures[0]
