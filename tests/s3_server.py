"""An S3 server on this machine, with a bucket of its own for each test that asks.

Started as a process, so that processes of ours reach it as they would any other.
"""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

HOST = "127.0.0.1"
START_SECONDS = 60


@contextmanager
def s3_server() -> Iterator[dict[str, str]]:
    """The environment that leads fsspec to the server."""
    with socket.socket() as free:
        free.bind((HOST, 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", HOST, "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    url = f"http://{HOST}:{port}"
    try:
        deadline = time.monotonic() + START_SECONDS
        while True:
            assert process.poll() is None, "the S3 server has ended"
            assert time.monotonic() < deadline, "the S3 server does not answer"
            with suppress(URLError, OSError), urlopen(f"{url}/moto-api", timeout=5):
                break
            time.sleep(0.1)
        yield {
            "AWS_ENDPOINT_URL": url,
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
        }
    finally:
        process.kill()
        process.wait()


def make_bucket(name: str) -> str:
    """The address of a new, empty bucket."""
    import fsspec

    file_system = fsspec.filesystem("s3", use_listings_cache=False)
    if file_system.exists(name):
        file_system.rm(name, recursive=True)
    file_system.mkdir(name)
    return f"s3://{name}"


def objects(address: str) -> list[str]:
    """Every object at an address, as paths below it."""
    import fsspec

    file_system, key = fsspec.url_to_fs(address, use_listings_cache=False)
    file_system.invalidate_cache()
    return sorted(str(Path(each).relative_to(key)) for each in file_system.find(key))


def flip_a_bit(address: str) -> None:
    """Change one bit in the middle of an object."""
    import fsspec

    file_system, key = fsspec.url_to_fs(address, use_listings_cache=False)
    data = bytearray(file_system.cat_file(key))
    data[len(data) // 2] ^= 1
    file_system.pipe_file(key, bytes(data))
