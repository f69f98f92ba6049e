"""The work pools `cpu` and `gpu`: of processes, of containers or of Kubernetes jobs.

In: a type of pool, whose template is `pools/<type>.yaml`. Out: what to create on the server. Both pools
of one type share a template, and differ in its variables' defaults: the image, the number of GPUs.
"""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import yaml
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.exceptions import ObjectNotFound

FOLDER = Path(__file__).parent / "pools"
TYPES = tuple(sorted(path.stem for path in FOLDER.glob("*.yaml")))
# Number of runs at once; one training a GPU. `None` is no limit, which parents and children need.
LIMITS: dict[str, int | None] = {"cpu": None, "gpu": 1}


def create_pools(client: SyncPrefectClient, pool_type: str) -> None:
    """Both pools, with their limits; a pool that is there stays as people have set it.

    Raises ``SystemExit`` where there is a pool of this name and of another type.
    """
    for name in LIMITS:
        try:
            known = client.read_work_pool(name)
        except ObjectNotFound:
            client.create_work_pool(work_pool(name, pool_type))
            continue
        if known.type != pool_type:
            raise SystemExit(
                f"error: the pool {name!r} is of type {known.type!r}, which cannot be changed, and "
                f"{pool_type!r} is wanted: delete it on its page and deploy again, or deploy with "
                f"METAMAPPING_POOLS={known.type}"
            )


def work_pool(name: str, pool_type: str) -> WorkPoolCreate:
    """The pool ``name`` of a type. Raises ``SystemExit`` where there is no such type."""
    if pool_type not in TYPES:
        raise SystemExit(f"error: METAMAPPING_POOLS is {pool_type!r}: expected one of {', '.join(TYPES)}")
    kind = yaml.safe_load((FOLDER / f"{pool_type}.yaml").read_text(encoding="utf-8"))
    return WorkPoolCreate(
        name=name,
        type=kind["type"],
        base_job_template=with_defaults(kind["base_job_template"], kind["pools"][name]),
        concurrency_limit=LIMITS[name],
    )


def with_defaults(template: dict[str, Any], defaults: dict[str, Any]) -> dict[str, Any]:
    """The template with other defaults for some of its variables."""
    changed = copy.deepcopy(template)
    for variable, default in defaults.items():
        changed["variables"]["properties"][variable]["default"] = default
    return changed
