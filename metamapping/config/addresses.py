"""Addresses of folders: a local path, or a remote address such as ``s3://bucket/prefix``.

An address becomes part of logs and reports, so it must not carry credentials.

    check_address("s3://bucket/prefix")
"""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator

from metamapping.errors import ConfigError


def check_address(address: str) -> str:
    """Check that a remote address names a writable folder and nothing else.

    Args:
        address: A scheme and a place, such as ``s3://bucket/prefix``.

    Returns:
        The same address.

    Raises:
        ConfigError: If the address carries credentials or options, which the message does not repeat; if it
            names no folder; or if nothing can be written there.
    """
    scheme, _, rest = address.partition("://")
    if "@" in rest or "?" in rest or "#" in rest:
        raise ConfigError(
            f"an address {scheme}://… holds credentials or options (`@`, `?`, `#`): give the bare address, "
            f"such as {scheme}://bucket/prefix, and the credentials in the environment or in fsspec's "
            "configuration"
        )
    if not rest.strip("/") or ".." in rest.split("/") or not re.fullmatch(r"[a-z][a-z0-9]*", scheme):
        raise ConfigError(
            f"{address!r} is not a valid address of a folder: give one such as s3://bucket/prefix"
        )
    if scheme in ("http", "https"):
        raise ConfigError(
            f"{address!r} is read-only: give a folder, or an address such as s3://bucket/prefix"
        )
    return address


def check_home(home: str) -> str:
    """Check a home: any local path, or an address that ``check_address`` accepts.

    Args:
        home: The folder or address of a run's store.

    Returns:
        The same home.

    Raises:
        ConfigError: If it is an address that ``check_address`` rejects.
    """
    return check_address(home) if "://" in home else home


Home = Annotated[str, AfterValidator(check_home)]
