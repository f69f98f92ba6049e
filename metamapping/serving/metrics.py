"""Metrics of the server, in the text format of Prometheus.

metrics = Metrics()
metrics.count_batch(32)                      # the encoder has encoded 32 texts in one batch
metrics.text()                               # the response to GET /metrics
"""

from __future__ import annotations

import time
from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from metamapping.serving.monitoring import Monitor

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_TEXTS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)


class Metrics:
    """The counters of one server."""

    def __init__(self) -> None:
        # Not the global registry: two servers in one process count separately.
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        names = ("method", "route")
        self._requests = Counter(
            "metamapping_requests", "Requests answered.", (*names, "status"), registry=self._registry
        )
        self._seconds = Histogram(
            "metamapping_request_seconds",
            "Time from the head of a request to its response.",
            names,
            buckets=_SECONDS,
            registry=self._registry,
        )
        self._batches = Histogram(
            "metamapping_encoder_pass_texts",
            "Texts per batch of the encoder.",
            buckets=_TEXTS,
            registry=self._registry,
        )
        self._texts = Counter("metamapping_encoded_texts", "Texts encoded.", registry=self._registry)
        self._tasks = Gauge("metamapping_tasks", "Tasks that can be used.", registry=self._registry)

    def count_batch(self, num_texts: int) -> None:
        """Count a batch of the encoder.

        Args:
            num_texts: Number of texts in the batch.
        """
        self._batches.observe(num_texts)
        self._texts.inc(num_texts)

    def count_request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request.

        Args:
            method: The HTTP method.
            route: The pattern of the endpoint's path.
            status: The HTTP status of the response.
            seconds: Time from request to response.
        """
        self._requests.labels(method, route, str(status)).inc()
        self._seconds.labels(method, route).observe(seconds)

    def set_task_counter(self, count: Callable[[], float]) -> None:
        """Set the function that returns the number of tasks, whenever metrics are read.

        Args:
            count: The function, without arguments.
        """
        self._tasks.set_function(count)

    def add_collector(self, collector: Monitor) -> None:
        """Add metrics that are computed whenever metrics are read.

        Args:
            collector: It collects them.
        """
        self._registry.register(collector)

    def text(self) -> bytes:
        """All metrics, in the format of Prometheus."""
        return generate_latest(self._registry)


class CountRequests:
    """Middleware that counts every request in ``metrics``.

    Args:
        app: The application that requests are forwarded to.
        metrics: The metrics of the server.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self.app, self.metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Forward a request and count it; an exception counts as status 500."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        status = 500
        start = time.perf_counter()

        async def recording_send(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, recording_send)
        finally:
            # The pattern of the route, not the path: each task name would create a new time series.
            route = getattr(scope.get("route"), "path", "other")
            method = scope["method"] if route != "other" else "other"
            self.metrics.count_request(method, route, status, time.perf_counter() - start)
