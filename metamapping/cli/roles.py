"""Roles: which of several files is trained on, which validates, and which is tested on.

Every run needs the three roles. Names that say it decide (`reviews-test.csv`); else the last files of each
task type are held out. Of one or two files the labels are divided, because an encoder that is meant for new
labels has to be judged by labels that it has not seen.

    assign_roles(guesses)                     # for each source its role, or its labels by role
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from metamapping.cli.guess import Guess
from metamapping.config.sources import Role
from metamapping.errors import listed

_NAMED: dict[str, Role] = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("validation", "valid", "val", "dev"), "validation"),
    **dict.fromkeys(("test", "testing", "heldout"), "test"),
}
_MIN_LABELS = 2  # of each role
_HELD_OUT_SHARE = 5  # one of so many files, or labels, validates, and one is tested on
_MIN_FILES = 3


@dataclass(frozen=True)
class Roles:
    """The role of a source, or its labels by role."""

    role: Role | None
    label_roles: dict[Role, list[str]] | None = None

    @property
    def held_out(self) -> set[str] | None:
        """The labels that are held out, of ``label_roles``."""
        if self.label_roles is None:
            return None
        return {label for role, of in self.label_roles.items() if role != "train" for label in of}


def assign_roles(guesses: Sequence[Guess]) -> list[Roles]:
    """Assign a role to every file.

    Args:
        guesses: What is known about each file.

    Returns:
        The roles, in the same order; each of the three roles occurs.

    Raises:
        ValueError: There are too few files, and too few labels to divide.
    """
    named = [_role_in_name(guess.path) for guess in guesses]
    if {"train", "validation", "test"} <= set(named):
        return [Roles(role or "train") for role in named]
    if len(guesses) >= _MIN_FILES:
        return _by_files(guesses)
    return _by_labels(guesses)


def _role_in_name(path: str) -> Role | None:
    parts = re.split(r"[^a-z]+", Path(path).name.split(".")[0].lower())
    return next((_NAMED[part] for part in reversed(parts) if part in _NAMED), None)


def _by_files(guesses: Sequence[Guess]) -> list[Roles]:
    groups: dict[tuple[str, bool], list[int]] = {}
    for number, guess in enumerate(guesses):
        groups.setdefault((guess.task_type, guess.text_pair is not None), []).append(number)
    large = [members for members in groups.values() if len(members) >= _MIN_FILES]
    roles: list[Role] = ["train"] * len(guesses)
    for members in large or [list(range(len(guesses)))]:
        number = max(1, len(members) // _HELD_OUT_SHARE)
        for place in members[-number:]:
            roles[place] = "test"
        for place in members[-2 * number : -number]:
            roles[place] = "validation"
    return [Roles(role) for role in roles]


def _by_labels(guesses: Sequence[Guess]) -> list[Roles]:
    """One file has labels of all roles; of two, the second is the test."""
    roles: list[Role] = ["train", "validation", "test"] if len(guesses) == 1 else ["train", "validation"]
    first = guesses[0]
    labels = list(first.labels)
    whole = "named entities" if first.task_type == "ner" else "texts that have several"
    if first.task_type == "ner" or first.multi_label or len(labels) < _MIN_LABELS * len(roles):
        reason = (
            f"the labels of {whole} cannot be divided"
            if first.task_type == "ner" or first.multi_label
            else f"{first.path} has only {len(labels)} labels ({listed(labels)}) to divide among "
            f"{len(roles)} roles, {_MIN_LABELS} each"
        )
        raise ValueError(
            f"a run needs sources to train on, to validate and to test, but got {len(guesses)} "
            f"file{'s' if len(guesses) > 1 else ''}, and {reason}: give at least {_MIN_FILES} files"
        )
    number = max(_MIN_LABELS, len(labels) // _HELD_OUT_SHARE)
    cuts = [len(labels) - number * held for held in range(len(roles) - 1, 0, -1)]
    parts = [labels[start:end] for start, end in zip([0, *cuts], [*cuts, len(labels)], strict=True)]
    divided = Roles(None, dict(zip(roles, parts, strict=True)))
    return [divided] if len(guesses) == 1 else [divided, Roles("test")]
