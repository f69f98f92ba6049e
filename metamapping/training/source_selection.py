"""Source selection: which of the train sources are trained on.

Input: the configuration and, in the mode ``related``, the similarity of the sources. Output: a ``Selection``
with a reason for each source. All functions are pure. Nothing is chosen on test sources: the targets are
train or validation sources, and the configuration rejects others.

    selection = choose_sources(candidates, similarity_table(profiles), config.selection)
    print(selection_markdown(selection))
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from metamapping.config.selection import SelectionSpec
from metamapping.config.sources import TaskType
from metamapping.rounds.tables import markdown_table

# Maximal marginal relevance (Carbonell & Goldstein, SIGIR 1998): the weight of similarity to the targets
# against similarity to the sources that are chosen already.
RELEVANCE = 0.7


@dataclass(frozen=True)
class Candidate:
    """A train source or a target, with its role in the selection."""

    name: str
    task_type: TaskType
    is_train: bool
    is_target: bool


class SelectedSource(BaseModel):
    """A train source, its similarity to its most similar target, and why it is trained on or not."""

    # Stored files call the similarity `closeness`.
    model_config = ConfigDict(
        frozen=True, serialize_by_alias=True, validate_by_name=True, validate_by_alias=True
    )

    source: str
    task_type: TaskType
    similarity: float | None = Field(alias="closeness")
    is_chosen: bool
    why: str


class Selection(BaseModel):
    """All train sources, the chosen ones first, and the similarity of every pair of sources.

    Attributes:
        sources: The train sources.
        names: The sources of the rows and columns of ``similarity``: train sources and targets.
        similarity: A symmetric table with values from 0 to 1; empty where none was measured.
    """

    # Stored files call the similarity `closeness`.
    model_config = ConfigDict(
        frozen=True, serialize_by_alias=True, validate_by_name=True, validate_by_alias=True
    )

    sources: list[SelectedSource]
    names: list[str] = []
    similarity: list[list[float]] = Field(default=[], alias="closeness")

    @property
    def chosen(self) -> list[str]:
        """The names of the sources that are trained on."""
        return [each.source for each in self.sources if each.is_chosen]


def choose_sources(candidates: Sequence[Candidate], table: np.ndarray, spec: SelectionSpec) -> Selection:
    """Choose the ``spec.num_sources`` train sources most related to the targets.

    First comes, for each task type of the targets, the most similar train source of that type. Then,
    one at a time, the source with the highest ``0.7 · similarity to its most similar target − 0.3 ·
    similarity to its most similar chosen source``.

    Args:
        candidates: Train sources and targets.
        table: Their similarities, ``(num_candidates, num_candidates)``.
        spec: The settings; its mode is ``related``.

    Returns:
        All train sources, the chosen ones first, each with the reason.
    """
    targets = [i for i, each in enumerate(candidates) if each.is_target]
    train = [i for i, each in enumerate(candidates) if each.is_train]
    to_target = table[:, targets].max(axis=1)
    reasons: dict[int, str] = {}
    for task_type in dict.fromkeys(candidates[i].task_type for i in targets):
        same = [i for i in train if candidates[i].task_type == task_type and i not in reasons]
        if same:
            reasons[max(same, key=lambda i: to_target[i])] = f"the most similar source of {task_type}"
    assert spec.num_sources is not None
    while len(reasons) < spec.num_sources:
        left = [i for i in train if i not in reasons]
        to_chosen = table[:, list(reasons)].max(axis=1) if reasons else np.zeros(len(candidates))
        best = max(left, key=lambda i: RELEVANCE * to_target[i] - (1 - RELEVANCE) * to_chosen[i])
        reasons[best] = f"similar to a target; similarity to the sources chosen before {to_chosen[best]:.2f}"
    order = [*reasons, *sorted((i for i in train if i not in reasons), key=lambda i: -to_target[i])]
    return Selection(
        sources=[
            SelectedSource(
                source=candidates[i].name,
                task_type=candidates[i].task_type,
                similarity=round(float(to_target[i]), 4),
                is_chosen=i in reasons,
                why=reasons.get(
                    i, "others are more similar to a target, or less similar to the chosen sources"
                ),
            )
            for i in order
        ],
        names=[each.name for each in candidates],
        similarity=[[round(float(value), 4) for value in row] for row in table],
    )


def list_sources(train: Sequence[tuple[str, TaskType]], names: Sequence[str]) -> Selection:
    """Make the selection that the configuration lists by name.

    Args:
        train: Name and task type of all train sources.
        names: Names of the sources that are trained on.

    Returns:
        All train sources, the listed ones first; no similarity was measured.
    """
    sources = [
        SelectedSource(
            source=name,
            task_type=task_type,
            similarity=None,
            is_chosen=name in names,
            why="listed" if name in names else "not listed",
        )
        for name, task_type in train
    ]
    return Selection(sources=sorted(sources, key=lambda each: not each.is_chosen))


def selection_markdown(selection: Selection) -> str:
    """Format the train sources of a selection as a Markdown table, the chosen ones first.

    Args:
        selection: The selection.

    Returns:
        The table.
    """
    rows = [
        [
            each.source,
            each.task_type,
            "–" if each.similarity is None else f"{each.similarity:.3f}",
            "yes" if each.is_chosen else "no",
            each.why,
        ]
        for each in selection.sources
    ]
    return markdown_table(["source", "task type", "similarity", "trained on", "why"], rows)
