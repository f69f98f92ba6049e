"""A toy encoder that is served in this process, or in another one."""

import pytest

from metamapping.serving.limits import Limits
from tests.serving.server import Server

SMALL = Limits(tasks=3, examples=6, texts=5, characters=200)


@pytest.fixture
def serve(published, tmp_path):
    """Creates clients of applications that have read the tasks in ``tmp_path``."""
    from fastapi.testclient import TestClient

    from metamapping.serving.app import build_app
    from metamapping.serving.metrics import Metrics
    from metamapping.serving.service import Service

    def make(*, limits=SMALL, key=None, load=True):
        service = Service(published, tmp_path / "tasks", limits, Metrics())
        if load:
            service.load()
        return TestClient(build_app(service, key=key), base_url="http://127.0.0.1")

    return make


@pytest.fixture
def start(published, tmp_path):
    """Starts `metamapping serve` with additional options; kills it after the test."""
    servers = []

    def begin(*options, **environment):
        servers.append(Server(published, tmp_path / "tasks", options, environment))
        return servers[-1]

    yield begin
    for server in servers:
        server.kill()
