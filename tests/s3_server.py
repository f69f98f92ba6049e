"""A local S3 server, with a separate bucket for each test that asks for one.

It is a process of its own, so that the processes of a test reach it like any other server.

    with s3_server() as environment:          # with these variables, fsspec uses the server
        home = f"{make_bucket('bucket')}/home"
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

import pytest

HOST = "127.0.0.1"
START_SECONDS = 60


@contextmanager
def s3_server() -> Iterator[dict[str, str]]:
    """Start the server, and yield the environment variables that make fsspec use it."""
    with socket.socket() as free:
        free.bind((HOST, 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", HOST, "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    url = f"http://{HOST}:{port}"
    forget_servers()
    try:
        deadline = time.monotonic() + START_SECONDS
        while True:
            assert process.poll() is None, "the S3 server has exited"
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
        forget_servers()


@contextmanager
def s3_environment() -> Iterator[None]:
    """Start the server, and let this process and those that it starts use it."""
    with s3_server() as environment, pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        yield


def forget_servers() -> None:
    """Make fsspec read the environment again: it keeps what was opened, with the address of its server."""
    import s3fs

    s3fs.S3FileSystem.clear_instance_cache()


def make_bucket(name: str) -> str:
    """Create an empty bucket, and return its address."""
    import fsspec

    file_system = fsspec.filesystem("s3", use_listings_cache=False)
    if file_system.exists(name):
        file_system.rm(name, recursive=True)
    file_system.mkdir(name)
    return f"s3://{name}"


def objects(address: str) -> list[str]:
    """Every object below an address, as relative paths."""
    import fsspec

    file_system, key = fsspec.url_to_fs(address, use_listings_cache=False)
    file_system.invalidate_cache()
    return sorted(str(Path(each).relative_to(key)) for each in file_system.find(key))


def flip_a_bit(address: str) -> None:
    """Flip one bit in the middle of an object."""
    import fsspec

    file_system, key = fsspec.url_to_fs(address, use_listings_cache=False)
    data = bytearray(file_system.cat_file(key))
    data[len(data) // 2] ^= 1
    file_system.pipe_file(key, bytes(data))
