"""Source roles: what must hold for all sources of a run together.

check_names_and_roles(sources)      # raises ValueError: two sources are named 'reviews': names must differ
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from metamapping.config.sources import ROLES, Source


def check_names_and_roles(sources: Sequence[Source]) -> None:
    """Check that the names of sources differ, that each role has a source and that roles share no data.

    Args:
        sources: All sources of a run.

    Raises:
        ValueError: If one of these conditions does not hold.
    """
    names: set[str] = set()
    users: dict[str, Source] = {}
    for source in sources:
        if source.name in names:
            raise ValueError(f"two sources are named {source.name!r}: names must differ")
        names.add(source.name)
        for origin in _origins(source):
            other = users.setdefault(origin, source)
            if other is not source and other.roles != source.roles:
                raise ValueError(
                    f"{origin} is used by {other.name!r} as {'/'.join(sorted(other.roles))} and by "
                    f"{source.name!r} as {'/'.join(sorted(source.roles))}: two roles must not share "
                    "a source; use different files, or one source with `label_roles`"
                )
    present = {role for source in sources for role in source.roles}
    for role in ROLES:
        if role not in present:
            raise ValueError(f"no source has the role {role!r}: give at least one source that role")


def _origins(source: Source) -> list[str]:
    """The files or the data set that a source is read from."""
    if source.hub:
        return [f"{source.hub.path}/{source.hub.config}/{source.hub.split}"]
    return [os.path.normpath(file) for file in source.files or []]
