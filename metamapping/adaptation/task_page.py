"""The HTML page of a saved task: its labels, how good it is, what it confuses, which labels look wrong.

Everything is known from the task's own folder, in closed form: no encoder is loaded.

    html = task_page(read_task(Path("my-tasks/orders")))
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from metamapping import __version__
from metamapping.adaptation.cross_validation import CrossValidation, cross_validate
from metamapping.adaptation.entity_scores import entity_spans
from metamapping.adaptation.errors import with_explanations
from metamapping.adaptation.label_noise import SuspiciousLabels, suspicious_labels
from metamapping.adaptation.results import Error, Explanation, Neighbour
from metamapping.adaptation.state import TaskState
from metamapping.adaptation.task_folder import SavedTask
from metamapping.config.labels import label_text
from metamapping.corpus.tags import OUTSIDE
from metamapping.html.rendering import render_page

PAGE = "report.html"
MAX_ERRORS, MAX_SUSPICIOUS, MAX_CONFUSION_LABELS, MAX_TAKEN_FOR = 30, 30, 20, 4
MAX_EXAMPLES_OF_LABEL, MAX_CHARACTERS, NUM_NEIGHBOURS = 20, 400, 3
# Of the words that resemble a word, so many are looked at to find some of other sentences.
_NUM_WORDS = 20
_NO_TEXT = "(the task was saved without texts)"
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
        result = cross_validate(state)
    except ValueError as error:  # no examples, only one, or a solver without a closed form
        remarks.append(f"How good the task is cannot be said from its own examples: {error}.")
    if result is not None and result.num_alone:
        remarks.append(
            f"{result.num_alone} of {len(state.labels)} labels have one example, which was predicted from "
            "the label's name alone: expect more of the task."
        )
    return render_page(
        "task.html",
        title=f"{task.folder.name}: report of a task",
        version=__version__,
        name=task.folder.name,
        folder=str(task.folder),
        task_type=state.task_type,
        is_ner=state.is_ner,
        num_examples=state.support.num_examples,
        encoder=task.model_fingerprint,
        is_measured=result is not None,
        outcome=_outcome(result),
        tiles=[] if result is None else _tiles(result),
        remarks=remarks,
        **_labels(state, result),
        confusion=None if result is None else _confusion(result),
        **_suspicious(state, result),
        errors=[] if result is None else _errors(state, result.errors[:MAX_ERRORS]),
        more_errors=0 if result is None else max(0, len(result.errors) - MAX_ERRORS),
        examples=_examples(state),
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
    counts = np.bincount(state.support.targets, minlength=len(texts)).tolist()
    scored = {} if result is None else {each.label: each for each in result.scores.labels}
    rows = []
    for text, name, number in zip(texts, state.names, counts, strict=True):
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
    table = result.confusion
    counts = table.to_numpy()
    if not len(counts) or not result.scores.confusions:
        return None
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
    labels = [str(table.index[i]) for i in chosen]
    return {"labels": labels, "rows": rows, "is_part": len(chosen) < len(counts)}


def _heat(share: float) -> int:
    """The darkness of a cell, from 0 to 4."""
    return 0 if share <= 0 else 4 - next((i for i, limit in enumerate(_HEATS) if share >= limit), len(_HEATS))


def _suspicious(state: TaskState, result: CrossValidation | None) -> dict[str, Any]:
    if result is None or state.is_ner or len(state.labels) < 2:
        return {"suspicious": None, "noise": ""}
    found: SuspiciousLabels = suspicious_labels(state)
    rows = [
        {
            "probability": f"{each.probability:.2f}",
            "index": each.index,
            "label": label_text(each.label),
            "suggested": label_text(each.suggested),
            "text": _text(each.text, each.text_pair),
            "neighbours": [_neighbour(near) for near in each.neighbours],
        }
        for each in found[:MAX_SUSPICIOUS]
    ]
    return {"suspicious": rows, "noise": f"{100 * found.noise:.1f} %"}


def _errors(state: TaskState, errors: Sequence[Error]) -> list[dict[str, Any]]:
    return [
        {
            "probability": f"{error.probability:.2f}",
            "index": error.index,
            "label": _entities(error, error.label) if state.is_ner else _label(error.label),
            "predicted": _entities(error, error.predicted) if state.is_ner else _label(error.predicted),
            "text": _text(error.text, error.text_pair),
            "neighbours": [_neighbour(near) for near in error.explanation or ()],
        }
        for error in _explained(state, errors)
    ]


def _explained(state: TaskState, errors: Sequence[Error]) -> list[Error]:
    """Errors with the most similar other examples: an example is its own nearest neighbour."""
    support = state.support
    items = [int(support.offsets[error.index]) + (error.word or 0) for error in errors]
    number = _NUM_WORDS if state.is_ner else NUM_NEIGHBOURS + 1
    explained = with_explanations(state, errors, support.features, items, num_examples=number)
    return [replace(error, explanation=_of_others(error)) for error in explained]


def _of_others(error: Error) -> Explanation | None:
    if error.explanation is None:
        return None
    others = [near for near in error.explanation if near.index != error.index]
    found = error.explanation
    return Explanation(others[:NUM_NEIGHBOURS], label=found.label, score=found.score, prior=found.prior)


def _label(given: Any) -> str:
    return "no label" if given is None else str(label_text(given))


def _entities(error: Error, tags: Sequence[str]) -> str:
    """The entities of a sentence's BIO tags, with their words where they were kept."""
    words = error.text or [""] * len(tags)
    spans = sorted(entity_spans(0, tags), key=lambda span: span[1])
    entities = [f"{kind}: {' '.join(map(str, words[start:end]))}" for _, start, end, kind in spans]
    return "; ".join(entities) or "no entity"


def _neighbour(near: Neighbour) -> dict[str, str]:
    return {
        "text": _text(near.text, near.text_pair),
        "label": str(label_text(near.label)),
        "weight": f"{near.weight:+.2f}",
    }


def _examples(state: TaskState) -> list[dict[str, Any]]:
    """The texts of each label; for ``ner`` the sentences that contain it."""
    support = state.support
    if not support.num_examples or support.texts[0] is None:
        return []
    pairs = support.text_pairs or (None,) * support.num_examples
    texts = [_text(text, pair) for text, pair in zip(support.texts, pairs, strict=True)]
    groups: dict[str, list[str]] = {}
    for i, text in enumerate(texts):
        slots = dict.fromkeys(support.targets[support.offsets[i] : support.offsets[i + 1]].tolist())
        for label in [str(label_text(state.labels[slot])) for slot in slots]:
            if not state.is_ner or label != OUTSIDE:
                groups.setdefault(label, []).append(text)
    return [
        {
            "label": label,
            "texts": found[:MAX_EXAMPLES_OF_LABEL],
            "more": max(0, len(found) - MAX_EXAMPLES_OF_LABEL),
        }
        for label, found in sorted(groups.items())
    ]


def _text(text: Any, pair: str | None = None) -> str:
    """A text, the words of a sentence, or a pair of texts, cut to a length that a table can show."""
    if text is None:
        return _NO_TEXT
    whole = text if isinstance(text, str) else " ".join(map(str, text))
    shown = whole if pair is None else f"{whole} ‖ {pair}"
    return shown if len(shown) <= MAX_CHARACTERS else f"{shown[:MAX_CHARACTERS]}…"
