"""The HTML page of a saved task: its labels, how good it is, what it confuses, which labels look wrong.

Everything is known from the task's own folder, in closed form: no encoder is loaded.

    html = task_page(read_task(Path("my-tasks/orders")))
"""

from __future__ import annotations

from typing import Any

import numpy as np

from metamapping import __version__
from metamapping.adaptation.cross_validation import CrossValidation, cross_validate
from metamapping.adaptation.multi_label.multi_label_scores import cross_validate_lists
from metamapping.adaptation.multi_label.multi_label_state import MultiLabelState
from metamapping.adaptation.saved.task_folder import SavedTask
from metamapping.adaptation.state import TaskState
from metamapping.adaptation.task_page_rows import (
    MAX_ERRORS,
    error_rows,
    example_groups,
    suspicious_rows,
)
from metamapping.config.labels import label_text
from metamapping.corpus.tags import OUTSIDE
from metamapping.html.rendering import render_page

PAGE = "report.html"
MAX_CONFUSION_LABELS, MAX_TAKEN_FOR = 20, 4
_HEATS = (0.5, 0.2, 0.05)  # the share of a label's examples from which a cell is darker


def task_page(task: SavedTask) -> str:
    """Build the page of a task.

    Args:
        task: The saved task.

    Returns:
        An HTML document without references to anything that it loads.
    """
    state, remarks = task.state, []
    result: CrossValidation | None = None
    try:
        result = cross_validate_lists(state) if isinstance(state, MultiLabelState) else cross_validate(state)
    except ValueError as error:  # no examples, only one, or a solver without a closed form
        remarks.append(f"How good the task is cannot be said from its own examples: {error}.")
    if result is not None:
        remarks += [f"{note[0].upper()}{note[1:]}." for note in result.notes]
    return render_page(
        "task.html",
        title=f"{task.folder.name}: report of a task",
        version=__version__,
        name=task.folder.name,
        folder=str(task.folder),
        task_type=state.task_type,
        is_ner=state.is_ner,
        is_multi_label=state.is_multi_label,
        num_examples=state.support.num_examples,
        encoder=task.model_fingerprint,
        is_measured=result is not None,
        outcome=_outcome(result),
        tiles=[] if result is None else _tiles(result),
        remarks=remarks,
        **_labels(state, result),
        confusion=None if result is None else _confusion(result),
        **({"suspicious": None, "noise": ""} if result is None else suspicious_rows(state)),
        errors=[] if result is None else error_rows(state, result),
        more_errors=0 if result is None else max(0, len(result.errors) - MAX_ERRORS),
        examples=example_groups(state),
        places=[
            {"what": "folder of the task", "path": str(task.folder)},
            {"what": "encoder", "path": task.model_folder},
        ],
    )


def _outcome(result: CrossValidation | None) -> str:
    if result is None:
        return ""
    name, score = next(iter(result.scores.scores.items()))
    return (
        f"Each of {result.scores.num_rows:,} examples, predicted by the others alone: {name} {score}. "
        "That is about what to expect of new texts like the examples."
    )


def _tiles(result: CrossValidation) -> list[dict[str, str]]:
    scores = [
        {"value": f"{score.mean:.3f}", "what": f"{name}; 95 % interval {score.low:.3f} to {score.high:.3f}"}
        for name, score in result.scores.scores.items()
    ]
    wrong = {"value": f"{len(result.errors):,}", "what": "examples that the others predict wrongly"}
    return [*scores, wrong]


def _labels(state: TaskState, result: CrossValidation | None) -> dict[str, Any]:
    """Each label with its number of examples and its scores, the weakest first."""
    texts = [str(label_text(label)) for label in state.labels]
    targets = state.support.targets
    counts = targets.sum(axis=0) if targets.ndim == 2 else np.bincount(targets, minlength=len(texts))
    scored = {} if result is None else {each.label: each for each in result.scores.labels}
    rows = []
    for text, name, number in zip(texts, state.names, counts.tolist(), strict=True):
        if state.is_ner and text == OUTSIDE:
            continue
        score = scored.get(text)
        rows.append(
            {
                "label": text,
                "name": name,
                "count": f"{score.count if score is not None else number:,}",
                "precision": "–" if score is None else f"{score.precision:.2f}",
                "recall": "–" if score is None else f"{score.recall:.2f}",
                "f1": "–" if score is None else f"{score.f1:.2f}",
                "taken_for": [] if result is None else _taken_for(result, text),
            }
        )
    rows.sort(key=lambda row: scored[row["label"]].f1 if row["label"] in scored else 2.0)
    return {"labels": rows, "has_names": any(row["name"] != row["label"] for row in rows)}


def _taken_for(result: CrossValidation, label: str) -> list[tuple[str | None, int]]:
    pairs = [(each.predicted, each.count) for each in result.scores.confusions if each.gold == label]
    return pairs[:MAX_TAKEN_FOR]


def _confusion(result: CrossValidation) -> dict[str, Any] | None:
    """The confusion table; of many labels, the part with those that are confused most."""
    if not result.scores.confusions:
        return None
    counts = result.confusion_counts
    off = counts - np.diag(np.diag(counts))
    most = np.argsort(-(off.sum(axis=0) + off.sum(axis=1)), kind="stable")[:MAX_CONFUSION_LABELS]
    chosen = np.sort(most)
    rows = []
    for i in chosen:
        total = max(int(counts[i].sum()), 1)
        rows.append(
            [
                {"count": int(counts[i, j]), "heat": _heat(counts[i, j] / total), "is_same": i == j}
                for j in chosen
            ]
        )
    labels = [str(label_text(result.labels[i])) for i in chosen]
    return {"labels": labels, "rows": rows, "is_part": len(chosen) < len(counts)}


def _heat(share: float) -> int:
    """The darkness of a cell, from 0 to 4."""
    return 0 if share <= 0 else 4 - next((i for i, limit in enumerate(_HEATS) if share >= limit), len(_HEATS))
