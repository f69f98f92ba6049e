"""The API and the UI of the Prefect server, with the gaps closed that Prefect leaves open.

``python -m deployments.api --port 4200`` takes the place of ``prefect server start --no-services``. In: the
settings of the server in the environment. The differences from Prefect's own command:

- it does not start without a login (PREFECT_SERVER_API_AUTH_STRING), instead of serving everybody;
- `/docs`, `/redoc` and `/openapi.json` ask for the login;
- the page *Settings* shows no password, also not the one within the URL of Redis;
- the secrets of blocks, such as the address of a webhook, are given to no client. The server's own services,
  which send the notifications, read them from the database.
"""

from __future__ import annotations

import argparse
import base64
import hmac
import json
import os
import re
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import parse_qsl, urlencode

AUTH = "PREFECT_SERVER_API_AUTH_STRING"

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

_CREDENTIALS = re.compile(r"(?<=://)[^/\s]*@")
_SECRETS = "include_secrets"


def main(host: str, port: int) -> None:
    """Serve API and UI until SIGINT or SIGTERM.

    Args:
        host: Address to listen on.
        port: Port to listen on.

    Raises:
        SystemExit: The login is missing.
    """
    login = check_login(os.environ.get(AUTH))
    # These import the server, which takes seconds and reads its settings.
    import uvicorn
    from prefect.server.api.server import create_app
    from prefect.settings import get_current_settings

    app = create_app(final=True, webserver_only=True)
    mask_settings(app)
    server = get_current_settings().server
    uvicorn.run(
        guarded(app, login),
        host=host,
        port=port,
        timeout_keep_alive=server.api.keepalive_timeout,
        ws_ping_interval=server.api.websocket_ping_interval,
        ws_ping_timeout=server.api.websocket_ping_timeout,
        log_level=server.logging_level.lower(),
    )


def check_login(login: str | None) -> str:
    """Check the login of the UI, the API and the workers.

    Args:
        login: ``user:password``.

    Returns:
        The login.

    Raises:
        SystemExit: It is missing, or has no user or no password.
    """
    if not login:
        raise SystemExit(
            f"error: {AUTH} is not set, so that anyone who reaches the server could start runs on it: "
            f"choose a login, and set it here and for workers and deploy: export {AUTH}=admin:choose-one"
        )
    user, _, password = login.partition(":")
    if not user or not password:
        raise SystemExit(
            f"error: {AUTH} is not a valid login: expected user:password, such as admin:choose-one"
        )
    return login


def mask_settings(app: Any) -> None:
    """Replace the route of the server's settings by one without the credentials within URLs.

    Prefect masks the settings that it declares as secrets, and the URL of Redis is not one of them.

    Args:
        app: The FastAPI application of the server.
    """
    from fastapi.routing import APIRoute
    from prefect.settings import get_current_settings

    def read_settings() -> Any:
        """Get the current settings, without secrets."""
        return without_credentials(get_current_settings().model_dump(mode="json"))

    # The first route that matches answers. The middleware of the API, which checks the login, is before it.
    route = APIRoute("/admin/settings", read_settings, methods=["GET"], include_in_schema=False)
    app.api_app.router.routes.insert(0, route)


def without_credentials(value: Any) -> Any:
    """Mask the credentials of all URLs in a JSON value: ``redis://:secret@host`` becomes ``redis://***@host``.

    Args:
        value: A JSON value.

    Returns:
        A copy of the value.
    """
    if isinstance(value, dict):
        return {key: without_credentials(each) for key, each in value.items()}
    if isinstance(value, list):
        return [without_credentials(each) for each in value]
    return _CREDENTIALS.sub("***@", value) if isinstance(value, str) else value


def guarded(app: Any, login: str) -> App:
    """Wrap the server's application: its own pages ask for the login, and no block gives its secrets.

    Args:
        app: The FastAPI application of the server.
        login: ``user:password``.

    Returns:
        An ASGI application.
    """
    # Every route that is not part of the mounted API or UI: the API's documentation.
    pages = {route.path for route in app.routes if hasattr(route, "endpoint")}
    credentials = b"Basic " + base64.b64encode(login.encode())

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            if scope["path"] in pages and not hmac.compare_digest(_authorization(scope), credentials):
                await _ask_for_login(send)
                return
            scope = _without_secrets(scope)
            if scope["method"] == "POST" and "/block_documents/filter" in scope["path"]:
                scope, receive = await _filter_without_secrets(scope, receive)
        await app(scope, receive, send)

    return serve


def _authorization(scope: Scope) -> bytes:
    return next((bytes(value) for name, value in scope["headers"] if name == b"authorization"), b"")


async def _ask_for_login(send: Send) -> None:
    headers = [(b"www-authenticate", b'Basic realm="Prefect"'), (b"content-length", b"0")]
    await send({"type": "http.response.start", "status": 401, "headers": headers})
    await send({"type": "http.response.body", "body": b""})


def _without_secrets(scope: Scope) -> Scope:
    """The request without the parameter that asks for secrets."""
    query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
    if not any(name == _SECRETS for name, _ in query):
        return scope
    kept = urlencode([(name, value) for name, value in query if name != _SECRETS])
    return {**scope, "query_string": kept.encode("latin-1")}


async def _filter_without_secrets(scope: Scope, receive: Receive) -> tuple[Scope, Receive]:
    """The request with a body that does not ask for secrets."""
    body, is_complete = b"", False
    while not is_complete:
        message = await receive()
        if message["type"] != "http.request":
            break  # the client has left
        body += message.get("body", b"")
        is_complete = not message.get("more_body", False)
    try:
        wanted = json.loads(body)
    except ValueError:  # the API will say what is wrong with it
        wanted = None
    if isinstance(wanted, dict):
        wanted.pop(_SECRETS, None)
        body = json.dumps(wanted).encode()
    kept = [(name, value) for name, value in scope["headers"] if name != b"content-length"]
    headers = [*kept, (b"content-length", str(len(body)).encode())]
    is_read = False

    async def replay() -> Message:
        nonlocal is_read
        if is_read:
            return await receive()
        is_read = True
        return {"type": "http.request", "body": body, "more_body": False}

    return {**scope, "headers": headers}, replay


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m deployments.api", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=4200)
    options = parser.parse_args()
    main(options.host, options.port)
