"""Hub: uploads a published folder to a Hugging Face hub, in one commit.

The token is taken from the environment (``HF_TOKEN``) or from ``hf auth login``; it is never passed in
here. ``HF_ENDPOINT`` selects another hub than the public one. TensorFlow is not needed.

    push("path/to/published", "my-team/few-shot-intents", private=True)
"""

from __future__ import annotations

from pathlib import Path

from httpx2 import HTTPError  # huggingface_hub's HTTP client, whose errors it does not wrap
from huggingface_hub import HfApi, get_token
from huggingface_hub.errors import HfHubHTTPError

from metamapping.publishing.layout import check_published, list_files
from metamapping.storage.manifest import MANIFEST

_REASONS = {
    401: "the hub does not know the token: set HF_TOKEN to a valid token, or run `hf auth login`",
    403: "the token has no write access to this repository: use one that has",
    404: "the hub has no such repository, or the token cannot see it",
    409: "the repository was changed at the same time: try again",
}


class PushError(RuntimeError):
    """The hub did not accept the folder; the message says why and how to fix it."""


def push(folder: str | Path, repo_id: str, *, private: bool = False, revision: str | None = None) -> str:
    """Upload a published folder unchanged, after verifying its checksums.

    Files that are already in the repository but not in the folder are left unchanged.

    Args:
        folder: The published folder.
        repo_id: The repository, ``owner/name``. It is created if it does not exist.
        private: Whether a new repository is private; an existing one keeps its visibility.
        revision: The branch, created if it does not exist. Default: the main branch.

    Returns:
        The URL of the commit.

    Raises:
        FileNotFoundError: The folder is not a published encoder.
        StoreError: The folder is damaged.
        ValueError: ``repo_id`` is not a valid repository name.
        PushError: There is no token, the hub cannot be reached, or it rejects the request.
    """
    folder = Path(folder)
    check_published(folder)
    if get_token() is None:
        raise PushError(
            f"{folder} was not pushed to {repo_id}: there is no token for the hub; set HF_TOKEN, or run "
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
            # Other files in the folder, such as caches or private notes, were never published.
            allow_patterns=[*list_files(folder), MANIFEST],
            commit_message="Publish an encoder of metamapping",
        )
    except (HTTPError, OSError) as error:
        raise PushError(f"{folder} was not pushed to {repo_id}: {_reason(error, api.endpoint)}") from error
    return str(commit.commit_url)


def _reason(error: Exception, endpoint: str) -> str:
    if isinstance(error, HfHubHTTPError):
        status = error.response.status_code
        detail = error.server_message or f"status {status}"
        return f"{_REASONS.get(status, 'the hub rejected the request')} ({detail})"
    return f"{endpoint} cannot be reached ({error}): check the connection, or HF_ENDPOINT"
