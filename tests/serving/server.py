"""`metamapping serve` in a process of its own."""

import os
import signal
import socket
import subprocess
import sys
import time

import httpx

ORDERS = {
    "examples": [
        {"text": "where is my parcel", "label": "delivery"},
        {"text": "the delivery is late", "label": "delivery"},
        {"text": "i want my money back", "label": "refund"},
        {"text": "please refund the order", "label": "refund"},
    ]
}


class Server:
    """The process, and an HTTP client."""

    def __init__(self, published, tasks, options, environment):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        self.http = httpx.Client(base_url=self.url, timeout=60)
        command = [sys.executable, "-m", "metamapping", "serve", str(published), "--port", str(port)]
        self.process = subprocess.Popen(
            [*command, "--tasks", str(tasks), *options],
            env={**os.environ, **environment},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def wait_for(self, *statuses, seconds=120):
        """Poll /health until it answers one of ``statuses``, and return the status."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                if (status := self.http.get("/health").status_code) in statuses:
                    return status
            except httpx.TransportError:
                pass
            time.sleep(0.05)
        raise AssertionError(f"no {statuses} in {seconds} s: {self.process.poll()}")

    def end(self):
        """Send SIGTERM, and return the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=60)

    def kill(self):
        """End the process in whatever state it is."""
        self.http.close()
        self.process.kill()
        self.process.wait()
