"""Who may use the server.

With an API key, every request except `/health` must send it, as ``Authorization: Bearer KEY`` or as
``X-API-Key: KEY``. Without a key the server listens on the loopback interface only, and accepts only
requests whose Host header names this machine. Otherwise a web page in a local browser could reach the
server under a host name of its own (DNS rebinding).

    check_host("0.0.0.0", key=None)               # ValueError: other machines need a key
"""

from __future__ import annotations

import hmac
import ipaddress
from typing import Annotated

from fastapi import HTTPException, Request, Security
from fastapi.responses import JSONResponse
from fastapi.security import APIKeyHeader, HTTPAuthorizationCredentials, HTTPBearer
from starlette.types import ASGIApp, Receive, Scope, Send

KEY_VARIABLE = "METAMAPPING_API_KEY"
OPEN_PATHS = frozenset({"/health"})

_BEARER = HTTPBearer(auto_error=False, description=f"The server's {KEY_VARIABLE}.")
_HEADER = APIKeyHeader(name="X-API-Key", auto_error=False, description=f"The server's {KEY_VARIABLE}.")


def check_host(host: str, *, key: str | None) -> None:
    """Check that a server without a key listens on this machine only.

    Args:
        host: The address to listen on.
        key: The API key, if there is one.

    Raises:
        ValueError: Other machines could reach the server, and there is no key.
    """
    if key is None and not _is_loopback(host):
        raise ValueError(
            f"--host {host} is reachable from other machines, but {KEY_VARIABLE} is not set: set it to a "
            "long random key, or listen on 127.0.0.1"
        )


async def describe_access(
    bearer: Annotated[HTTPAuthorizationCredentials | None, Security(_BEARER)],
    header: Annotated[str | None, Security(_HEADER)],
) -> None:
    """Describe in the OpenAPI document how the key is sent; ``RequireAccess`` is what checks it."""


class RequireAccess:
    """Middleware that answers 401 for a missing or wrong key, and 403 for a foreign host name.

    It comes before the application, which would read and parse the body of a stranger's request first.

    Args:
        app: The application that requests are forwarded to.
        key: The key; ``None`` for a server that accepts local requests only.
    """

    def __init__(self, app: ASGIApp, key: str | None) -> None:
        self.app, self.key = app, key

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check the headers of every request but those to ``OPEN_PATHS``."""
        if scope["type"] == "http" and scope["path"] not in OPEN_PATHS:
            try:
                _check_access(Request(scope), self.key)
            except HTTPException as error:
                refusal = JSONResponse({"detail": error.detail}, error.status_code, error.headers)
                await refusal(scope, receive, send)
                return
        await self.app(scope, receive, send)


def _check_access(request: Request, key: str | None) -> None:
    if key is None:
        if not _is_loopback(request.url.hostname or ""):
            raise HTTPException(
                403,
                f"the request names the host {request.url.hostname!r}, but without {KEY_VARIABLE} this "
                "server accepts only 127.0.0.1 and localhost: use one of them, or set a key",
            )
        return
    scheme, _, bearer = request.headers.get("Authorization", "").partition(" ")
    sent = bearer if scheme.lower() == "bearer" else request.headers.get("X-API-Key")
    # The comparison takes constant time, so that its duration does not tell how much of a guess is right.
    if sent is None or not hmac.compare_digest(sent.encode("latin-1"), key.encode()):
        raise HTTPException(
            401,
            f"{'missing' if sent is None else 'wrong'} API key: send the server's {KEY_VARIABLE} as "
            "'Authorization: Bearer KEY' or 'X-API-Key: KEY'",
            headers={"WWW-Authenticate": "Bearer"},
        )


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
