"""Access: who may use the server.

With a key every request but `/health` has to show it, as ``Authorization: Bearer KEY`` or as
``X-API-Key: KEY``. Without one the server listens on this machine alone, and answers only requests that
mean this machine: a web page that a browser has open cannot pass for it under another name.

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
    """Refuse to listen where other machines can ask, without a key. Raises ``ValueError``."""
    if key is None and not _is_this_machine(host):
        raise ValueError(
            f"--host {host} lets other machines in, but {KEY_VARIABLE} is not set: set it to a long random "
            "key, or listen on 127.0.0.1"
        )


async def require_access(
    request: Request,
    bearer: Annotated[HTTPAuthorizationCredentials | None, Security(_BEARER)],
    header: Annotated[str | None, Security(_HEADER)],
) -> None:
    """Let a request pass, or answer 401 or 403."""
    key: str | None = request.app.state.key
    if key is None:
        if not _is_this_machine(request.url.hostname or ""):
            raise HTTPException(
                403,
                f"the request means the host {request.url.hostname!r}, but without {KEY_VARIABLE} this "
                "server answers to 127.0.0.1 and localhost alone: use one of them, or set a key",
            )
        return
    shown = header if bearer is None else bearer.credentials
    # In constant time: how long it takes must not tell how much of a guess is right.
    if shown is None or not hmac.compare_digest(shown.encode("latin-1"), key.encode()):
        raise HTTPException(
            401,
            f"{'no' if shown is None else 'a wrong'} API key: send the server's {KEY_VARIABLE} as "
            "'Authorization: Bearer KEY' or 'X-API-Key: KEY'",
            headers={"WWW-Authenticate": "Bearer"},
        )


def _is_this_machine(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
