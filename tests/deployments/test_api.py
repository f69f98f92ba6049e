"""The server's application asks for the login and gives no secrets; no server is started."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, Request
from prefect.server.api.server import create_app
from prefect.settings import (
    PREFECT_SERVER_API_AUTH_STRING,
    PREFECT_SERVER_DOCKET_URL,
    PREFECT_UI_ENABLED,
    get_current_settings,
    temporary_settings,
)

from deployments.api import check_login, guarded, mask_settings, without_credentials
from deployments.local_server import server_env

LOGIN = "admin:hunter2"


def ask(app: Any, method: str, path: str, *, login: str | None = LOGIN, **fields: Any) -> httpx.Response:
    """Send one request to an application."""

    async def send() -> httpx.Response:
        transport = httpx.ASGITransport(app)
        user, _, password = (login or "").partition(":")
        auth = httpx.BasicAuth(user, password) if login else None
        async with httpx.AsyncClient(transport=transport, base_url="http://server", auth=auth) as client:
            return await client.request(method, path, **fields)

    return asyncio.run(send())


@pytest.fixture(scope="module")
def prefect_app() -> Iterator[Any]:
    """Prefect's own application, without its database."""
    settings = {
        PREFECT_SERVER_API_AUTH_STRING: LOGIN,
        PREFECT_SERVER_DOCKET_URL: "redis://:hunter3@127.0.0.1:9/1",
        PREFECT_UI_ENABLED: False,
    }
    with temporary_settings(settings):
        app = create_app(webserver_only=True, ignore_cache=True)
        mask_settings(app)
        yield guarded(app, LOGIN)


@pytest.mark.parametrize("path", ["/docs", "/redoc", "/openapi.json", "/api/docs", "/api/admin/settings"])
@pytest.mark.parametrize("login", [None, "admin:wrong", "admin"])
def test_api_and_documentation_ask_for_the_login(prefect_app: Any, path: str, login: str | None) -> None:
    assert ask(prefect_app, "GET", path, login=login).status_code == 401


def test_with_the_login_they_answer_and_the_health_check_needs_none(prefect_app: Any) -> None:
    assert ask(prefect_app, "GET", "/docs").status_code == 200
    assert ask(prefect_app, "GET", "/api/docs").status_code == 200
    assert ask(prefect_app, "GET", "/api/health", login=None).status_code == 200


def test_the_page_of_settings_shows_no_password(prefect_app: Any) -> None:
    answer = ask(prefect_app, "GET", "/api/admin/settings")
    assert "hunter" not in answer.text
    shown = answer.json()
    assert shown["server"]["docket"]["url"] == "redis://***@127.0.0.1:9/1"
    shown["server"]["docket"]["url"] = "redis://:hunter3@127.0.0.1:9/1"
    assert shown == get_current_settings().model_dump(mode="json")  # nothing else has changed


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("redis://:secret@host:1/0", "redis://***@host:1/0"),
        ("postgresql+asyncpg://me:a@b@host/db", "postgresql+asyncpg://***@host/db"),
        ({"a": ["https://me:secret@host"]}, {"a": ["https://***@host"]}),
        ("http://host/path", "http://host/path"),
        ("mail me@example.org", "mail me@example.org"),
        (3, 3),
    ],
)
def test_credentials_within_urls_are_masked(value: Any, shown: Any) -> None:
    assert without_credentials(value) == shown


@pytest.fixture(scope="module")
def echo() -> Any:
    """An application that answers with the query and the body that reach it."""
    app = FastAPI()

    @app.api_route("/api/{path:path}", methods=["GET", "POST"])
    async def answer(path: str, request: Request) -> dict[str, str]:
        return {"query": request.url.query, "body": (await request.body()).decode()}

    return guarded(app, LOGIN)


def test_no_query_asks_for_the_secrets_of_blocks(echo: Any) -> None:
    path = "/api/block_types/slug/custom-webhook/block_documents/name/notify"
    assert ask(echo, "GET", f"{path}?a=1&include_secrets=true&b=").json()["query"] == "a=1&b="
    assert ask(echo, "GET", f"{path}?include%5Fsecrets=true").json()["query"] == ""
    assert ask(echo, "GET", f"{path}?a=%2B&b=1").json()["query"] == "a=%2B&b=1"


def test_no_filter_asks_for_the_secrets_of_blocks(echo: Any) -> None:
    path = "/api/block_documents/filter"
    reached = ask(echo, "POST", path, json={"limit": 3, "include_secrets": True}).json()["body"]
    assert json.loads(reached) == {"limit": 3}
    twice = '{"include_secrets": false, "include_secrets": true}'
    assert ask(echo, "POST", path, content=twice).json()["body"] == "{}"
    assert ask(echo, "POST", path, content="{broken").json()["body"] == "{broken"
    other = ask(echo, "POST", "/api/flow_runs/filter", content=twice).json()["body"]
    assert other == twice  # no other request is changed


@pytest.mark.parametrize("login", [None, "", "admin", "admin:", ":secret"])
def test_a_server_without_a_login_does_not_start(login: str | None) -> None:
    with pytest.raises(SystemExit, match=r"error: PREFECT_SERVER_API_AUTH_STRING is .*admin:choose-one"):
        check_login(login)
    assert check_login(LOGIN) == LOGIN


@pytest.mark.parametrize("module", ["deployments.api", "deployments.local_server"])
def test_the_commands_refuse_to_start_without_a_login(module: str, tmp_path: Any) -> None:
    env = {name: value for name, value in os.environ.items() if name != "PREFECT_SERVER_API_AUTH_STRING"}
    home = ["--home", str(tmp_path / "home")] if module.endswith("local_server") else []
    ended = subprocess.run([sys.executable, "-m", module, *home], env=env, capture_output=True, text=True)
    assert ended.returncode == 1
    assert ended.stderr.startswith("error: PREFECT_SERVER_API_AUTH_STRING is not set")
    assert not list(tmp_path.iterdir())  # nothing has been started


def test_only_the_ui_itself_may_call_the_api_from_a_browser() -> None:
    origins = server_env(4300, "a", "b")["PREFECT_SERVER_CORS_ALLOWED_ORIGINS"]
    assert origins == "http://127.0.0.1:4300,http://localhost:4300"


def test_postgresql_and_redis_have_different_passwords() -> None:
    env = server_env(4300, "of-postgres", "of-redis")
    assert [name for name, value in env.items() if "of-postgres" in value] == [
        "PREFECT_SERVER_DATABASE_CONNECTION_URL"
    ]
    assert "of-redis" in env["PREFECT_SERVER_DOCKET_URL"]
