"""The work pools `cpu` and `gpu`, which start runs as processes, containers or Kubernetes jobs.

In: the type of the pools, whose template is `pools/<type>.yaml`. Out: the pools on the server. Both pools
share the template of their type and differ in its defaults, such as the image and the number of GPUs.
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
# Concurrent runs per pool: one training per GPU. `cpu` has no limit (None), because the main run waits
# there for its stages and would deadlock with them.
LIMITS: dict[str, int | None] = {"cpu": None, "gpu": 1}


def create_pools(client: SyncPrefectClient, pool_type: str) -> None:
    """Create both pools with their limits; existing pools are left unchanged.

    Args:
        client: The client of the server.
        pool_type: One of ``TYPES``.

    Raises:
        SystemExit: A pool of this name exists with another type, which cannot be changed.
    """
    for name in LIMITS:
        try:
            existing = client.read_work_pool(name)
        except ObjectNotFound:
            client.create_work_pool(work_pool(name, pool_type))
            continue
        if existing.type != pool_type:
            raise SystemExit(
                f"error: the pool {name!r} is of type {existing.type!r}, which cannot be changed to "
                f"{pool_type!r}: delete it on its page and deploy again, or deploy with "
                f"METAMAPPING_POOLS={existing.type}"
            )


def work_pool(name: str, pool_type: str) -> WorkPoolCreate:
    """Describe a pool for the server.

    Args:
        name: ``cpu`` or ``gpu``.
        pool_type: One of ``TYPES``.

    Raises:
        SystemExit: The type is unknown.
    """
    if pool_type not in TYPES:
        raise SystemExit(f"error: METAMAPPING_POOLS is {pool_type!r}: expected one of {', '.join(TYPES)}")
    template = yaml.safe_load((FOLDER / f"{pool_type}.yaml").read_text(encoding="utf-8"))
    return WorkPoolCreate(
        name=name,
        type=template["type"],
        base_job_template=with_defaults(template["base_job_template"], template["pools"][name]),
        concurrency_limit=LIMITS[name],
    )


def with_defaults(template: dict[str, Any], defaults: dict[str, Any]) -> dict[str, Any]:
    """A copy of a job template in which some variables have other defaults.

    Args:
        template: A job template, as stored by Prefect.
        defaults: Defaults by variable of the template.
    """
    changed = copy.deepcopy(template)
    for variable, default in defaults.items():
        changed["variables"]["properties"][variable]["default"] = default
    return changed
