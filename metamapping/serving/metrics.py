"""Metrics: what the server counts, in Prometheus' text format.

metrics = Metrics()
metrics.encoded(32)                          # one pass of the encoder over 32 texts
metrics.text()                               # what GET /metrics answers
"""

from __future__ import annotations

import time
from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_TEXTS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)


class Metrics:
    """The counters of one server."""

    def __init__(self) -> None:
        # A registry of its own: two servers in one process do not count together.
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        names = ("method", "route")
        self._requests = Counter(
            "metamapping_requests", "Requests answered.", (*names, "status"), registry=self._registry
        )
        self._seconds = Histogram(
            "metamapping_request_seconds",
            "Time from a request's head to its answer.",
            names,
            buckets=_SECONDS,
            registry=self._registry,
        )
        self._passes = Histogram(
            "metamapping_encoder_pass_texts",
            "Texts that one pass of the encoder took together.",
            buckets=_TEXTS,
            registry=self._registry,
        )
        self._texts = Counter("metamapping_encoded_texts", "Texts encoded.", registry=self._registry)
        self._tasks = Gauge("metamapping_tasks", "Tasks that can be asked.", registry=self._registry)

    def encoded(self, num_texts: int) -> None:
        """Count a pass of the encoder."""
        self._passes.observe(num_texts)
        self._texts.inc(num_texts)

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request."""
        self._requests.labels(method, route, str(status)).inc()
        self._seconds.labels(method, route).observe(seconds)

    def count_tasks_by(self, count: Callable[[], float]) -> None:
        """Ask ``count`` for the number of tasks whenever metrics are read."""
        self._tasks.set_function(count)

    def text(self) -> bytes:
        """Everything, as Prometheus reads it."""
        return generate_latest(self._registry)


class CountRequests:
    """Tells ``metrics`` of every request."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self.app, self.metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything on; a request that breaks counts as 500."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        status = 500
        start = time.perf_counter()

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, noted)
        finally:
            # The route's pattern: names of tasks, and whatever else is asked for, would each be a series.
            route = getattr(scope.get("route"), "path", "other")
            method = scope["method"] if route != "other" else "other"
            self.metrics.answered(method, route, status, time.perf_counter() - start)
