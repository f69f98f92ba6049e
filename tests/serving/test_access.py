"""Who may use the server."""

import asyncio

import pytest

from metamapping.serving.access import check_host
from tests.cli.command import run_cli

KEY = "a key for these tests"


@pytest.fixture(scope="module")
def unloaded(published, tmp_path_factory):
    """Creates clients of a server that is still loading: access does not depend on the encoder."""
    from fastapi.testclient import TestClient

    from metamapping.serving.app import build_app
    from metamapping.serving.limits import Limits
    from metamapping.serving.metrics import Metrics
    from metamapping.serving.service import Service

    def make(key, base_url="http://127.0.0.1"):
        service = Service(published, tmp_path_factory.mktemp("tasks"), Limits(), Metrics())
        return TestClient(build_app(service, key=key), base_url=base_url)

    return make


@pytest.mark.parametrize("headers", [{"Authorization": f"Bearer {KEY}"}, {"X-API-Key": KEY}])
def test_the_right_key_is_accepted(unloaded, headers):
    assert unloaded(KEY, "http://example.org").get("/metrics", headers=headers).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-API-Key": ""},
        {"X-API-Key": KEY[:-1]},
        {"Authorization": f"Basic {KEY}"},
        {"X-API-Key": b"\xff"},
    ],
)
@pytest.mark.parametrize(("method", "path"), [("GET", "/tasks"), ("PUT", "/tasks/x"), ("GET", "/metrics")])
def test_missing_and_wrong_keys_are_rejected(unloaded, headers, method, path):
    answer = unloaded(KEY).request(method, path, headers=headers)
    assert answer.status_code == 401
    assert "METAMAPPING_API_KEY" in answer.json()["detail"]
    assert KEY not in answer.text


def test_health_needs_no_key(unloaded):
    assert unloaded(KEY).get("/health").json() == {"status": "loading"}


@pytest.mark.parametrize("path", ["/docs", "/redoc", "/openapi.json", "/tasks/../health/", "//health", "/"])
def test_nothing_but_health_answers_a_stranger(unloaded, path):
    assert unloaded(KEY).get(path).status_code == 401


def test_the_body_of_a_stranger_is_not_read(unloaded):
    async def read():
        raise AssertionError("the body is read")

    app = unloaded(KEY).app
    scope = {
        "type": "http", "method": "PUT", "path": "/tasks/a", "headers": [], "query_string": b"",
        "server": ("127.0.0.1", 80), "scheme": "http", "root_path": "",
    }  # fmt: skip
    sent = []

    async def send(message):
        sent.append(message)

    asyncio.run(app(scope, read, send))
    assert sent[0]["status"] == 401


def test_without_a_key_a_foreign_host_name_is_rejected(unloaded):
    assert unloaded(None).get("/metrics").status_code == 200
    assert unloaded(None, "http://localhost:99").get("/metrics").status_code == 200
    assert unloaded(None, "http://rebound.example").get("/docs").status_code == 403
    answer = unloaded(None, "http://rebound.example").get("/metrics")
    assert answer.status_code == 403
    assert "names the host 'rebound.example'" in answer.json()["detail"]


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.2", "example.org"])
def test_a_server_for_other_machines_needs_a_key(host):
    with pytest.raises(ValueError, match="from other machines, but METAMAPPING_API_KEY is not set"):
        check_host(host, key=None)
    check_host(host, key=KEY)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
def test_a_server_for_this_machine_needs_no_key(host):
    check_host(host, key=None)


def test_the_command_checks_its_arguments_before_it_listens(published, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("METAMAPPING_API_KEY", "")
    assert run_cli("serve", published, "--host", "0.0.0.0") == 2
    assert "error: --host 0.0.0.0 is reachable from other machines" in capsys.readouterr().err
    assert run_cli("serve", tmp_path) == 2
    printed = capsys.readouterr().err
    assert "is not a published encoder" in printed
    assert "pretrained" not in printed
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model.safetensors").touch()
    assert run_cli("serve", tmp_path) == 2
    assert f"error: {tmp_path} has no tokenizer.json: write it there" in capsys.readouterr().err
