"""Clients that send slowly, or without end, do not keep the places of others."""

import socket
import threading
import time

import httpx
import pytest
import uvicorn

from metamapping.serving import patience
from metamapping.serving.app import build_app
from metamapping.serving.limits import Limits
from metamapping.serving.metrics import Metrics
from metamapping.serving.service import Service

KEY = "a key for these tests"


@pytest.fixture
def address(published, tmp_path, monkeypatch):
    """Host and port of a server that waits half a second for headers and for bodies."""
    monkeypatch.setattr(patience, "HEADER_SECONDS", 0.5)
    monkeypatch.setattr(patience.BodyDeadline.__init__, "__defaults__", (0.5,))
    app = build_app(Service(published, tmp_path, Limits(), Metrics()), key=KEY)
    config = uvicorn.Config(app, port=0, http=patience.TimeLimitedProtocol, log_level="error")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield server.servers[0].sockets[0].getsockname()
    server.should_exit = True
    thread.join()


def connected(address):
    connection = socket.create_connection(address)
    connection.settimeout(30)
    return connection


def read_all(connection):
    """All bytes until the server closes the connection."""
    parts = []
    try:
        while part := connection.recv(65_536):
            parts.append(part)
    except ConnectionResetError:
        pass
    return b"".join(parts)


@pytest.mark.parametrize("head", [b"", b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: "])
def test_a_connection_without_complete_headers_is_closed(address, head):
    with connected(address) as connection:
        connection.sendall(head)
        assert read_all(connection) == b""


def test_headers_that_arrive_one_by_one_gain_no_time(address):
    with connected(address) as connection:
        connection.sendall(b"GET /health HTTP/1.1\r\n")
        started = time.monotonic()
        try:
            while time.monotonic() < started + 30:
                connection.sendall(b"X-More: 0\r\n")
                time.sleep(0.05)
        except OSError:  # the server has closed it
            return
    pytest.fail("the connection is still open after 30 seconds")


def test_a_connection_is_used_for_several_requests(address):
    with httpx.Client(base_url=f"http://{address[0]}:{address[1]}") as http:
        for _ in range(3):
            assert http.get("/health").status_code == 503
            time.sleep(0.3)


def test_a_body_that_does_not_end_is_answered_408(address):
    with connected(address) as connection:
        head = f"PUT /tasks/a HTTP/1.1\r\nHost: 127.0.0.1\r\nX-API-Key: {KEY}\r\n"
        connection.sendall(f"{head}Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n{{".encode())
        answer = read_all(connection)
    assert answer.startswith(b"HTTP/1.1 408")
    assert b"the body did not arrive within 0.5 seconds" in answer


def test_a_stranger_is_answered_before_the_body_is_read_and_then_closed(address):
    with connected(address) as connection:
        connection.sendall(b"PUT /tasks/a HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 4000000\r\n\r\n{")
        answer = read_all(connection)
    assert answer.startswith(b"HTTP/1.1 401")
