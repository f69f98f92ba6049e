"""Hub access: whether the Hugging Face hub can be reached, asked before anything waits for it.

The libraries that download from the hub try again for one to two minutes before they say that it cannot be
reached. What is in their caches, or an offline mode (`HF_HUB_OFFLINE=1`), needs no hub.

    check_hub({"source 'bank'": "datasets/mteb/banking77"})
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from metamapping.errors import ConfigError, listed, one_line

_TRIES, _TIMEOUT_SECONDS = 2, 5.0


def check_hub(wanted: Mapping[str, str]) -> None:
    """Check that the hub can be reached, if anything is to be downloaded from it.

    Args:
        wanted: What needs the hub, and its address there: ``datasets/<name>`` or ``models/<name>``.

    Raises:
        ConfigError: The hub cannot be reached; this is reported once for all that need it.
    """
    from huggingface_hub import constants

    missing = [what for what, address in wanted.items() if not _is_cached(address)]
    if not missing or constants.HF_HUB_OFFLINE:
        return
    problem = _problem(constants.ENDPOINT)
    if problem is not None:
        raise ConfigError(
            f"the hub {constants.ENDPOINT} cannot be reached ({problem}), but {listed(missing)} must be "
            "downloaded from it: check the network and its proxy, or give local files"
        )


def _problem(endpoint: str) -> str | None:
    """Why an endpoint does not answer; any answer is one."""
    import httpx2

    problem = None
    for _ in range(_TRIES):
        try:
            httpx2.head(endpoint, timeout=_TIMEOUT_SECONDS)
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
            problem = f"{type(error).__name__}: {one_line(error)}"
        else:
            return None
    return problem


def _is_cached(address: str) -> bool:
    from huggingface_hub import constants

    kind, _, name = address.partition("/")
    if kind == "models":
        return (Path(constants.HF_HUB_CACHE) / f"models--{name.replace('/', '--')}").is_dir()
    cache = os.environ.get("HF_DATASETS_CACHE") or Path(constants.HF_HOME) / "datasets"
    return (Path(cache) / name.replace("/", "___")).is_dir()
