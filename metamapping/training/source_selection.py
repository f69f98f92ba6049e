"""Selection: which of the train sources are trained on.

Pure: in go the configuration and, for ``related``, how close the sources are to each other; out
comes a ``Selection`` with a reason for each source. Nothing is chosen on test sources: the targets
are train or validation sources, and the configuration refuses others.

    chosen = choose(candidates, table, spec)       # the closest to the targets, but not all alike
    print(selection_markdown(chosen))
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from pydantic import BaseModel, ConfigDict

from metamapping.config.selection import SelectionSpec
from metamapping.config.sources import TaskType
from metamapping.rounds.tables import markdown_table

# Of maximal marginal relevance (Carbonell & Goldstein 1998): how much closeness to the targets
# counts against likeness to what is chosen already.
RELEVANCE = 0.7


@dataclass(frozen=True)
class Candidate:
    """A source that closeness was measured of."""

    name: str
    task_type: TaskType
    is_train: bool
    is_target: bool


class Selected(BaseModel):
    """A train source, how close it is to its nearest target, and why it is trained on or not."""

    model_config = ConfigDict(frozen=True)

    source: str
    task_type: TaskType
    closeness: float | None
    is_chosen: bool
    why: str


class Selection(BaseModel):
    """Every train source, the chosen ones first; and how close each source is to each."""

    model_config = ConfigDict(frozen=True)

    sources: list[Selected]
    names: list[str] = []  # of the rows and columns of `closeness`: train sources and targets
    closeness: list[list[float]] = []

    @property
    def chosen(self) -> list[str]:
        """The names of the sources that are trained on."""
        return [each.source for each in self.sources if each.is_chosen]


def choose(candidates: Sequence[Candidate], table: np.ndarray, spec: SelectionSpec) -> Selection:
    """The ``num_sources`` train sources most related to the targets, as ``related`` asks for.

    ``table``: ``(num_candidates, num_candidates)`` closeness. A source's closeness is that to its
    nearest target. First comes the closest source of each task type of the targets; then, one by
    one, the source with the highest ``0.7 · closeness − 0.3 · likeness to the likest chosen one``.
    """
    targets = [i for i, each in enumerate(candidates) if each.is_target]
    train = [i for i, each in enumerate(candidates) if each.is_train]
    near = table[:, targets].max(axis=1)
    reasons: dict[int, str] = {}
    for task_type in dict.fromkeys(candidates[i].task_type for i in targets):
        same = [i for i in train if candidates[i].task_type == task_type and i not in reasons]
        if same:
            reasons[max(same, key=lambda i: near[i])] = f"the closest source of {task_type}"
    assert spec.num_sources is not None
    while len(reasons) < spec.num_sources:
        left = [i for i in train if i not in reasons]
        likeness = table[:, list(reasons)].max(axis=1) if reasons else np.zeros(len(candidates))
        best = max(left, key=lambda i: RELEVANCE * near[i] - (1 - RELEVANCE) * likeness[i])
        reasons[best] = f"close, and not too like those before ({likeness[best]:.2f})"
    order = [*reasons, *sorted((i for i in train if i not in reasons), key=lambda i: -near[i])]
    return Selection(
        sources=[
            Selected(
                source=candidates[i].name,
                task_type=candidates[i].task_type,
                closeness=round(float(near[i]), 4),
                is_chosen=i in reasons,
                why=reasons.get(i, "others are closer, or add more"),
            )
            for i in order
        ],
        names=[each.name for each in candidates],
        closeness=[[round(float(value), 4) for value in row] for row in table],
    )


def listed(train: Sequence[tuple[str, TaskType]], names: Sequence[str]) -> Selection:
    """The sources that the configuration lists."""
    sources = [
        Selected(
            source=name,
            task_type=task_type,
            closeness=None,
            is_chosen=name in names,
            why="listed" if name in names else "not listed",
        )
        for name, task_type in train
    ]
    return Selection(sources=sorted(sources, key=lambda each: not each.is_chosen))


def selection_markdown(selection: Selection) -> str:
    """The train sources as a Markdown table, the chosen ones first."""
    rows = [
        [
            each.source,
            each.task_type,
            "–" if each.closeness is None else f"{each.closeness:.3f}",
            "yes" if each.is_chosen else "no",
            each.why,
        ]
        for each in selection.sources
    ]
    return markdown_table(["source", "task type", "closeness", "trained on", "why"], rows)
