"""The labels of a source that belong to a role, and checks that they are enough for episodes."""

from __future__ import annotations

from collections.abc import Sequence

from metamapping.config.sources import Role, Source
from metamapping.errors import ConfigError


def labels_of_role(source: Source, found: Sequence[str], role: Role) -> list[str]:
    """Return the labels of a source that belong to a role, sorted.

    Args:
        source: Its ``label_roles`` may restrict the labels of the role.
        found: All labels of its examples.
        role: Training, validation or test.

    Raises:
        ConfigError: A listed label has no example.
    """
    if not source.label_roles:
        return sorted(found)
    wanted = source.label_roles[role]
    missing = sorted(set(wanted) - set(found))
    if missing:
        raise ConfigError(
            f"source {source.name!r}: label_roles.{role} lists {missing[0]!r}, but no example "
            f"has that label; the labels of the source: {_listed(found)}"
        )
    return sorted(wanted)


def check_labels(source: Source, found: Sequence[str], labels: Sequence[str]) -> None:
    """Check that a role has enough labels, and that ``label_names`` names none that does not exist.

    Args:
        source: The source.
        found: All labels of its examples.
        labels: The labels of the role.

    Raises:
        ConfigError: There are too few labels, or one that is named has no example. Sources that are too long
            to be counted before a run are checked only here.
    """
    unknown = sorted(set(source.label_names) - set(found) - set(source.drop_labels))
    if unknown:
        raise ConfigError(
            f"source {source.name!r}: `label_names` names {_listed(unknown)}, but no example has such a "
            f"label; the labels of the source: {_listed(found)}: correct or remove the name"
        )
    needed = 1 if source.task_type == "ner" else 2
    if len(labels) < needed:
        number = f"{len(labels)} label{'' if len(labels) == 1 else 's'}"
        raise ConfigError(
            f"source {source.name!r} has {number} ({_listed(labels)}), but episodes "
            f"need at least {needed}: check `columns.label`, or leave the source out"
        )


def _listed(labels: Sequence[str], limit: int = 8) -> str:
    more = f" and {len(labels) - limit} more" if len(labels) > limit else ""
    return ", ".join(labels[:limit]) + more if labels else "none"
