"""The processes in which a worker of a process pool executes its runs, as Linux lists them in /proc.

On other systems nothing is found.

    runs = {pid: run_of(pid) for pid in descendants(worker.pid)}
"""

from __future__ import annotations

from pathlib import Path
from uuid import UUID

PROC = Path("/proc")
RUN_ID = b"PREFECT__FLOW_RUN_ID="


def descendants(pid: int) -> list[int]:
    """Return the ids of all descendants of a process.

    Args:
        pid: Id of a process.
    """
    parents: dict[int, int] = {}
    for status in PROC.glob("[0-9]*/stat"):
        try:
            # "pid (name) state parent …", where a name may contain spaces and brackets.
            parents[int(status.parent.name)] = int(status.read_text().rpartition(")")[2].split()[1])
        except OSError:  # it has ended
            continue
    found = [pid]
    for known in found:
        found += [child for child, parent in parents.items() if parent == known]
    return found[1:]


def run_of(pid: int) -> UUID | None:
    """Return the id of the flow run that a process executes, or takes part in.

    Args:
        pid: Id of a process.

    Returns:
        The id, or ``None`` if the process does not belong to a flow run.
    """
    try:
        variables = (PROC / str(pid) / "environ").read_bytes().split(b"\0")
    except OSError:  # it has ended, or belongs to another user
        return None
    found = next((each.removeprefix(RUN_ID) for each in variables if each.startswith(RUN_ID)), None)
    try:
        return None if found is None else UUID(found.decode())
    except ValueError:
        return None
