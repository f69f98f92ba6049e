"""Artifacts of flow runs: their keys, and what Prefect's pages need to show them well.

All artifacts with the same key are versions of one thing on Prefect's page *Artifacts*, so a key names the
run that it belongs to.
"""

from __future__ import annotations

import base64
import re
from pathlib import Path

from prefect.artifacts import create_markdown_artifact

from metamapping.publishing.layout import read_card

_IMAGE = re.compile(r"!\[(?P<what>[^\]]*)\]\((?P<name>[\w-]+\.png)\)")


def artifact_key(kind: str, run: str) -> str:
    """Return the key of an artifact of a run: Prefect allows lower-case letters, digits and dashes.

    Args:
        kind: What the artifact shows, such as ``rounds``.
        run: ID of the run, or the name of its configuration.
    """
    return re.sub(r"[^a-z0-9]+", "-", f"{kind}-{run}".lower()).strip("-")


def artifact_link(text: str, kind: str, run: str) -> str:
    """Return a link to the page of an artifact of a run, as Markdown for other artifacts.

    Args:
        text: What is read.
        kind: As for ``artifact_key``.
        run: As for ``artifact_key``.
    """
    # An absolute path: a worker knows the server by another address than the browser does.
    return f"[{text}](/v2/artifacts/key/{artifact_key(kind, run)})"


def create_picture(png: bytes, *, key: str, description: str) -> None:
    """Show a picture as an artifact of the current flow run.

    It is a Markdown artifact, because the page of an image artifact prints the whole address of the picture,
    which contains the picture itself.

    Args:
        png: The picture.
        key: Key of the artifact.
        description: What it shows.
    """
    create_markdown_artifact(markdown=_embedded(png, description), key=key, description=description)


def shown_card(folder: Path) -> str:
    """The model card for Prefect's pages: without the hub's metadata, and with its pictures inside.

    Args:
        folder: A published folder.
    """
    card = read_card(folder)

    def embed(image: re.Match[str]) -> str:
        path = folder / image["name"]
        return _embedded(path.read_bytes(), image["what"]) if path.is_file() else ""

    return _IMAGE.sub(embed, card)


def _embedded(png: bytes, what: str) -> str:
    """A picture as Markdown that contains it."""
    return f"![{what}](data:image/png;base64,{base64.b64encode(png).decode()})"
