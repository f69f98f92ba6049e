"""Push: a published folder on a Hugging Face hub, in one commit.

The token comes from the environment (``HF_TOKEN``) or from ``hf auth login``, and never from here;
``HF_ENDPOINT`` names another hub than the public one. Needs no TensorFlow.

    push("path/to/published", "my-team/few-shot-intents", private=True)
"""

from __future__ import annotations

from pathlib import Path

from httpx2 import HTTPError  # what huggingface_hub speaks HTTP by, and raises where nobody answers
from huggingface_hub import HfApi, get_token
from huggingface_hub.errors import HfHubHTTPError

from metamapping.publishing.layout import check_published, read_files
from metamapping.storage.manifest import MANIFEST

_REASONS = {
    401: "the hub does not know the token: set HF_TOKEN to a token that is valid, or run `hf auth login`",
    403: "the token may not write there: give one with write access to this repository",
    404: "the hub has no such repository, or the token may not see it",
    409: "the hub has another state of it: try again",
}


class PushError(RuntimeError):
    """The hub did not take the folder; the message says why and what to do."""


def push(folder: str | Path, repo_id: str, *, private: bool = False, revision: str | None = None) -> str:
    """Upload a published folder as it was written; returns the address of the commit.

    The repository is made where there is none, ``private`` or not; an existing one keeps its
    visibility. ``revision``: a branch, made where there is none; nothing said: the main one. Files of
    the repository that the folder has not are let be.

    Raises ``FileNotFoundError`` and ``StoreError`` for a folder that is not published or damaged,
    ``ValueError`` for a name that no repository can have, ``PushError`` where the hub says no.
    """
    folder = Path(folder)
    check_published(folder)
    if get_token() is None:
        raise PushError(
            f"{folder} was not pushed to {repo_id}: there is no token of the hub; set HF_TOKEN, or run "
            "`hf auth login`"
        )
    api = HfApi()
    try:
        api.create_repo(repo_id, private=private, exist_ok=True)
        if revision is not None:
            api.create_branch(repo_id, branch=revision, exist_ok=True)
        commit = api.upload_folder(
            repo_id=repo_id,
            folder_path=folder,
            revision=revision,
            # What the manifest does not name (a cache, somebody's notes) is nobody's to publish.
            allow_patterns=[*read_files(folder), MANIFEST],
            commit_message="Publish an encoder of metamapping",
        )
    except (HTTPError, OSError) as error:
        raise PushError(f"{folder} was not pushed to {repo_id}: {_reason(error, api.endpoint)}") from error
    return str(commit.commit_url)


def _reason(error: Exception, endpoint: str) -> str:
    if isinstance(error, HfHubHTTPError):
        status = error.response.status_code
        said = error.server_message or f"status {status}"
        return f"{_REASONS.get(status, 'the hub refused')} ({said})"
    return f"{endpoint} cannot be reached ({error}): check the connection, or HF_ENDPOINT"
