"""Running: the process that listens until it is told to end.

    run_server(service, host="127.0.0.1", port=8080, key=None)

It listens at once, and answers 503 until the encoder is loaded. SIGTERM and Ctrl-C let requests that
have begun come to their end.
"""

from __future__ import annotations

import threading

import uvicorn

from metamapping.serving.app import build_app
from metamapping.serving.service import Service

_MOST_AT_ONCE = 1_000  # connections; more are answered 503 before anything of them is read
_SECONDS_TO_END = 30


def run_server(service: Service, *, host: str, port: int, key: str | None) -> None:
    """Serve until SIGTERM or SIGINT. Raises what ``Service.load`` raises, and ends the server with it."""
    config = uvicorn.Config(
        build_app(service, key=key),
        host=host,
        port=port,
        access_log=False,  # /metrics counts requests; names of tasks stay out of logs
        server_header=False,
        limit_concurrency=_MOST_AT_ONCE,
        timeout_graceful_shutdown=_SECONDS_TO_END,
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
    server.run()
    if failures:
        raise failures[0]
