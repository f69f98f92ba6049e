"""`metamapping push`: upload a published encoder to a hub."""

from __future__ import annotations

from typing import Annotated

import typer

from metamapping.cli.options import Model


def push(
    folder: Model,
    repo: Annotated[str, typer.Argument(help="Name of the repository on the hub, such as team/encoder.")],
    private: Annotated[bool, typer.Option("--private", help="Make a new repository private.")] = False,
    revision: Annotated[str | None, typer.Option("--revision", help="Branch to push to.")] = None,
) -> None:
    """Upload a published encoder to the Hugging Face hub, after verifying every file.

    The token is read from `HF_TOKEN` or from `hf auth login`; `HF_ENDPOINT` is the URL of another hub.

    `metamapping push .metamapping/runs/demo-1f0c3a77b2d94e61/published team/encoder --private`
    """
    from metamapping.publishing.hub import PushError
    from metamapping.publishing.hub import push as push_folder

    try:
        print(push_folder(folder, repo, private=private, revision=revision))
    except PushError as error:
        raise ValueError(str(error)) from error
