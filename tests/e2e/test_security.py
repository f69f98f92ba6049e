"""The server as an attacker sees it: without the login, with it, and on the machine's disk."""

from __future__ import annotations

import os
from pathlib import Path

import httpx
import pytest

from tests.e2e.prefect_server import PASSWORD, PrefectServer

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("path", ["/docs", "/redoc", "/openapi.json", "/api/docs", "/api/admin/settings"])
def test_nothing_but_the_ui_answers_without_the_login(server: PrefectServer, path: str) -> None:
    assert httpx.get(server.url + path).status_code == 401
    assert httpx.get(f"{server.url}/api/ready").status_code == 200


def test_pages_of_other_origins_may_not_call_the_api(server: PrefectServer) -> None:
    for origin, is_allowed in ((server.url, True), ("http://evil.example", False)):
        answer = httpx.get(f"{server.url}/api/ready", headers={"Origin": origin})
        assert ("access-control-allow-origin" in answer.headers) is is_allowed


def test_the_page_of_settings_shows_no_password(server: PrefectServer) -> None:
    shown = server.http.get("/admin/settings").raise_for_status().text
    passwords = [(server.folder / "server" / name).read_text() for name in ("password", "redis-password")]
    assert passwords[0] != passwords[1]
    for password in [*passwords, PASSWORD.partition(":")[2]]:
        assert password not in shown
    assert "redis://***@127.0.0.1" in shown


def test_no_client_reads_the_address_of_the_webhook(server: PrefectServer) -> None:
    address = os.environ["METAMAPPING_NOTIFY_URL"]
    path = "/block_types/slug/custom-webhook/block_documents"
    everything = {"include_secrets": True}
    answers = [
        server.http.get(path, params={"include_secrets": "true"}),
        server.http.get(f"{path}/name/metamapping-notify", params={"include_secrets": "true"}),
        server.http.post("/block_documents/filter", json=everything),
    ]
    for answer in answers:
        assert "metamapping-notify" in answer.raise_for_status().text
        assert address not in answer.text


def test_the_files_of_the_server_are_for_their_owner_only(server: PrefectServer) -> None:
    home = server.folder / "server"
    assert home.stat().st_mode & 0o077 == 0
    written = [path for path in home.iterdir() if path.is_file()]
    assert {"password", "redis-password", "redis.conf", "redis.log"} <= {path.name for path in written}
    assert [path.name for path in written if path.stat().st_mode & 0o077] == []


def test_a_snapshot_of_redis_is_for_its_owner_only(server: PrefectServer) -> None:
    redis = pytest.importorskip("redis")
    home = server.folder / "server"
    port = httpx.URL(server.url).port + 2
    client = redis.Redis(host="127.0.0.1", port=port, password=(home / "redis-password").read_text())
    client.save()
    client.close()
    assert Path(home / "dump.rdb").stat().st_mode & 0o077 == 0
