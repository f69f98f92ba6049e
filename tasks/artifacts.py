"""Artifacts of flow runs: their keys, and what Prefect's pages need to show them well.

All artifacts with the same key are versions of one thing on Prefect's page *Artifacts*, so a key names the
run that it belongs to.
"""

from __future__ import annotations

import base64
import re

from prefect.artifacts import create_image_artifact

_FRONT_MATTER = re.compile(r"\A---\n.*?\n---\n", re.DOTALL)
_IMAGE = re.compile(r"!\[([^\]]*)\]\([^)\s]+\)\n*")


def artifact_key(kind: str, run: str) -> str:
    """Return the key of an artifact of a run: Prefect allows lower-case letters, digits and dashes.

    Args:
        kind: What the artifact shows, such as ``rounds``.
        run: ID of the run, or the name of its configuration.
    """
    return re.sub(r"[^a-z0-9]+", "-", f"{kind}-{run}".lower()).strip("-")


def create_picture(png: bytes, *, key: str, description: str) -> None:
    """Create an image artifact of the current flow run.

    Args:
        png: The picture.
        key: Key of the artifact.
        description: What it shows.
    """
    address = f"data:image/png;base64,{base64.b64encode(png).decode()}"
    create_image_artifact(image_url=address, key=key, description=description)


def without_front_matter(card: str) -> str:
    """A model card for Prefect's pages: without the hub's metadata, and without pictures next to the file.

    Args:
        card: The README of a published folder.
    """
    return _IMAGE.sub("", _FRONT_MATTER.sub("", card)).lstrip("\n")
