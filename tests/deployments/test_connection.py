"""What deploy and workers say about a server that does not answer or refuses them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import nullcontext
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from deployments.connection import connect


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A server that answers each path with the next of its ``statuses``, and the last one from then on."""

    class Pages(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            statuses = server.statuses[self.path.removeprefix("/api")]
            self.send_response(statuses.pop(0) if len(statuses) > 1 else statuses[0])
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Pages) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("PREFECT_API_URL", f"http://127.0.0.1:{server.server_port}/api")
        yield server
        server.shutdown()


def test_without_an_address_there_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    with pytest.raises(SystemExit, match="PREFECT_API_URL is not set: set it to the address"), connect():
        pass


def test_a_server_that_does_not_answer_is_an_error(server: Any) -> None:
    server.statuses = {"/ready": [503]}
    message = r"no Prefect server answers at .*/api \(status 503\): start it"
    with pytest.raises(SystemExit, match=message), connect(wait_seconds=0):
        pass


def test_a_refused_login_is_an_error_without_the_password(
    server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREFECT_API_AUTH_STRING", "admin:hunter2")
    server.statuses = {"/ready": [200], "/admin/version": [401]}
    with pytest.raises(SystemExit, match="refuses the login: set PREFECT_API_AUTH") as raised, connect():
        pass
    assert "hunter2" not in str(raised.value)


def test_a_server_that_is_starting_is_waited_for(
    server: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("deployments.connection.POLL_SECONDS", 0.01)
    monkeypatch.setattr("deployments.connection.get_client", lambda **_: nullcontext("a client"))
    server.statuses = {"/ready": [503, 503, 200], "/admin/version": [200]}
    with connect() as client:
        assert client == "a client"
    assert capsys.readouterr().out.count("waiting for the server at") == 1
