"""The work pools `cpu` and `gpu`, which start runs as processes, containers or Kubernetes jobs.

In: the type of the pools, whose template is `pools/<type>.yaml`. Out: the pools on the server. Both pools
share the template of their type and differ in its defaults, such as the image and the number of GPUs. Deploy
and workers both ensure the pools, so that they are the same whichever of them starts first.
"""

from __future__ import annotations

import copy
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import WorkPoolCreate, WorkPoolUpdate
from prefect.client.schemas.objects import WorkPool
from prefect.exceptions import ObjectAlreadyExists, ObjectNotFound

FOLDER = Path(__file__).parent / "pools"
TYPES = tuple(sorted(path.stem for path in FOLDER.glob("*.yaml")))
# Concurrent runs per pool: one training per GPU. `cpu` has no limit (None), because the main run waits
# there for its stages and would deadlock with them.
LIMITS: dict[str, int | None] = {"cpu": None, "gpu": 1}
# How the templates of Prefect's own workers, of every type, describe the variable `command`.
PREFECTS_COMMAND = "The command to use when starting a flow run."


def ensure_pools(
    client: SyncPrefectClient, pool_type: str, names: Collection[str] = tuple(LIMITS)
) -> list[WorkPool]:
    """Create the pools that do not exist, and repair those that Prefect has created with its own defaults.

    Other pools are left unchanged, with what people have set on their pages.

    Args:
        client: The client of the server.
        pool_type: One of ``TYPES``.
        names: The pools to ensure, of ``LIMITS``.

    Returns:
        The pools as they are on the server now.

    Raises:
        SystemExit: A pool of this name exists with another type, which cannot be changed.
    """
    for name in names:
        wanted = work_pool(name, pool_type)
        existing = _read_or_create(client, wanted)
        if existing is None:
            continue
        if existing.type != pool_type:
            raise SystemExit(
                f"error: the pool {name!r} is of type {existing.type!r}, which cannot be changed to "
                f"{pool_type!r}: delete it on its page and deploy again, or deploy with "
                f"METAMAPPING_POOLS={existing.type}"
            )
        if is_made_by_prefect(existing.base_job_template):
            # A limit that a person has set is kept.
            limit = LIMITS[name] if existing.concurrency_limit is None else existing.concurrency_limit
            update = WorkPoolUpdate(base_job_template=wanted.base_job_template, concurrency_limit=limit)
            client.update_work_pool(name, update)
            print(f"pool {name}: Prefect's defaults replaced by those of metamapping", flush=True)
    return [client.read_work_pool(name) for name in names]


def is_made_by_prefect(template: dict[str, Any]) -> bool:
    """Whether a job template is Prefect's own, with which its worker creates a pool that does not exist.

    Args:
        template: A job template, as stored by Prefect.
    """
    command = template.get("variables", {}).get("properties", {}).get("command", {})
    return str(command.get("description", "")).startswith(PREFECTS_COMMAND)


def describe_pool(pool: WorkPool) -> str:
    """Describe a pool in a few words, such as ``gpu (process, 1 run at a time)``.

    Args:
        pool: A pool on the server.
    """
    limit = pool.concurrency_limit
    runs = "no limit" if limit is None else "1 run at a time" if limit == 1 else f"{limit} runs at a time"
    return f"{pool.name} ({pool.type}, {runs}{', paused' if pool.is_paused else ''})"


def _read_or_create(client: SyncPrefectClient, wanted: WorkPoolCreate) -> WorkPool | None:
    """The pool if it exists; otherwise it is created."""
    with suppress(ObjectNotFound):
        return client.read_work_pool(wanted.name)
    try:
        client.create_work_pool(wanted)
    except ObjectAlreadyExists:  # deploy or another worker was faster
        return client.read_work_pool(wanted.name)
    return None


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
