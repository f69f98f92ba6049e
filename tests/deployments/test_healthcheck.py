"""The health check of the container `api`, against a server that these tests start."""

import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest


@pytest.fixture
def server():
    """A server that answers each path with the status in ``statuses``."""

    class Pages(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(self.server.statuses[self.path])
            self.end_headers()

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Pages) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.mark.parametrize(
    ("statuses", "says"),
    [
        ({"/api/ready": 200, "/": 200}, None),
        ({"/api/ready": 200, "/": 404}, "/ answers 404"),
        ({"/api/ready": 503, "/": 200}, "/api/ready answers 503"),
    ],
)
def test_an_api_without_its_ui_is_not_healthy(server, statuses, says):
    server.statuses = statuses
    command = [sys.executable, "deployments/healthcheck.py", f"http://127.0.0.1:{server.server_port}"]
    env = {**os.environ, "PREFECT_SERVER_API_AUTH_STRING": "admin:secret"}
    ended = subprocess.run(command, env=env, capture_output=True, text=True)
    assert (ended.returncode == 0) is (says is None)
    assert (says or "") in ended.stderr
