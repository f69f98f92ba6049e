"""Patience: how long the server waits for a client that sends slowly, so that a few cannot use up all places.

A connection has ``HEADER_SECONDS`` for the headers of its next request, and a request ``BODY_SECONDS`` for
its whole body. uvicorn itself limits neither, and serves no more than a fixed number of connections at a
time.

    uvicorn.Config(app, http=TimeLimitedProtocol)
"""

from __future__ import annotations

import asyncio
import time

from fastapi import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

HEADER_SECONDS = 20.0
BODY_SECONDS = 60.0


class TimeLimitedProtocol(H11Protocol):
    """HTTP/1.1 that closes connections whose headers do not arrive in time."""

    _waiting: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self._wait()

    def data_received(self, data: bytes) -> None:
        """Keep waiting for headers that are not complete yet; the time does not start again."""
        super().data_received(data)
        if self.cycle is None or self.cycle.response_complete:
            self._wait()
        else:
            self._stop_waiting()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        self._stop_waiting()
        super().connection_lost(exc)

    def _wait(self) -> None:
        if self._waiting is None:
            self._waiting = self.loop.call_later(HEADER_SECONDS, self._give_up)

    def _stop_waiting(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None

    def _give_up(self) -> None:
        self._waiting = None
        if not self.transport.is_closing() and (self.cycle is None or self.cycle.response_complete):
            self.transport.close()


class BodyDeadline:
    """Middleware that answers 408 if the body of a request takes longer than ``seconds``.

    Args:
        app: The application that requests are forwarded to.
        seconds: How long a body may take; default: ``BODY_SECONDS``.
    """

    def __init__(self, app: ASGIApp, seconds: float = BODY_SECONDS) -> None:
        self.app, self.seconds = app, seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Limit the time until the last part of the body; what is received after it is not limited."""
        deadline, is_complete = time.monotonic() + self.seconds, False

        async def receive_in_time() -> Message:
            nonlocal is_complete
            if is_complete:
                return await receive()
            try:
                message = await asyncio.wait_for(receive(), max(0.0, deadline - time.monotonic()))
            except TimeoutError:
                raise HTTPException(
                    408,
                    f"the body did not arrive within {self.seconds:g} seconds: send it in smaller requests",
                    headers={"Connection": "close"},
                ) from None
            is_complete = not message.get("more_body", False)
            return message

        await self.app(scope, receive_in_time if scope["type"] == "http" else receive, send)
