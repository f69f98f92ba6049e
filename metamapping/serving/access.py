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
from fastapi.security import APIKeyHeader, HTTPAuthorizationCredentials, HTTPBearer

KEY_VARIABLE = "METAMAPPING_API_KEY"

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


async def require_access(
    request: Request,
    bearer: Annotated[HTTPAuthorizationCredentials | None, Security(_BEARER)],
    header: Annotated[str | None, Security(_HEADER)],
) -> None:
    """Accept a request, or answer 401 for a missing or wrong key, 403 for a foreign host name.

    Args:
        request: The request, whose application has the key in its state.
        bearer: The header `Authorization`, if it is sent.
        header: The header `X-API-Key`, if it is sent.

    Raises:
        HTTPException: The request is rejected.
    """
    key: str | None = request.app.state.key
    if key is None:
        if not _is_loopback(request.url.hostname or ""):
            raise HTTPException(
                403,
                f"the request names the host {request.url.hostname!r}, but without {KEY_VARIABLE} this "
                "server accepts only 127.0.0.1 and localhost: use one of them, or set a key",
            )
        return
    sent = header if bearer is None else bearer.credentials
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
