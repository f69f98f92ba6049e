"""What a folder contains: a published encoder, a saved task, a run or a stage. Only JSON is read.

    describe_folder(Path("my-tasks/orders"))           # {"folder": …, "what": "saved task", "labels": […], …}

A run has `run.json`. All other folders have a manifest, which says what they contain, with checksums.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from metamapping.errors import StoreError, one_line
from metamapping.rounds.records import Cell
from metamapping.runs.folder import RunFolder
from metamapping.storage.artifacts import Reference, read_reference
from metamapping.storage.bounded_json import MAX_JSON_BYTES, MAX_TASK_BYTES, read_json
from metamapping.storage.manifest import check_files
from metamapping.storage.remote import place_of, pull_folder

_MAX_LABELS = 20  # in a description


def describe_folder(folder: Path) -> dict[str, Any]:
    """Describe a folder, for a table or for JSON.

    Args:
        folder: A local folder, or the local folder of an address.

    Returns:
        Names and plain values. `what` is the kind of the folder.

    Raises:
        FileNotFoundError: The folder is none of these kinds.
        StoreError: The folder is damaged.
    """
    folder = folder.absolute()
    run = RunFolder.at(folder)
    if run.is_open:
        return {"folder": run.place, "what": "run", **_run(run)}
    pull_folder(folder)
    reference = read_reference(folder)
    if reference is None:
        raise FileNotFoundError(
            f"{place_of(folder)} is not a published encoder, saved task or run: give a folder with "
            "manifest.json or run.json"
        )
    check_files(folder, [])
    about = {"published": _published, "task": _task}.get(reference.stage, _stage)
    try:
        return {"folder": place_of(folder), **about(folder, reference)}
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise StoreError(
            f"{place_of(folder)} does not contain what its manifest says ({type(error).__name__}: "
            f"{one_line(error)}): copy or write it again"
        ) from error


def _run(run: RunFolder) -> dict[str, Any]:
    history = run.read_history()
    described: dict[str, Any] = {
        "configuration": run.config.name,
        "sources": [f"{source.name} ({source.task_type})" for source in run.config.sources],
        "rounds": len(history),
    }
    if history:
        verdict = history[-1].verdict
        described |= {
            "verdict": verdict.state,
            "because": verdict.sentence,
            "best_round": verdict.best_round,
            "adjustments": [str(each) for judged in history for each in judged.adjustments],
        }
    return described | {"published": place_of(run.published) if run.has_published else "not yet"}


def _published(folder: Path, reference: Reference) -> dict[str, Any]:
    settings = _read_json(folder / "metamapping.json")
    cells = [Cell.model_validate(cell) for cell in _read_json(folder / "report.json")["test"]]
    return {
        "what": "published encoder",
        "name": reference.name,
        "fingerprint": reference.fingerprint,
        "format_version": settings["format_version"],
        "feature_dim": settings["feature_dim"],
        "max_length_tokens": settings["max_length_tokens"],
        "megabytes": _megabytes(folder),
        "test_scores": {
            f"{cell.source}, {cell.shots} shots": f"{np.mean(cell.scores):.3f} "
            f"(before meta-training {np.mean(cell.baseline):.3f})"
            for cell in cells
        },
    }


def _task(folder: Path, reference: Reference) -> dict[str, Any]:
    task = _read_json(folder / "task.json", max_bytes=MAX_TASK_BYTES)
    labels = task["labels"]
    more = [f"… and {len(labels) - _MAX_LABELS} more"] if len(labels) > _MAX_LABELS else []
    return {
        "what": "saved task",
        "task_type": task["task_type"],
        **({"multi_label": True} if task.get("multi_label") else {}),
        "examples": task["num_examples"],
        "texts": "pairs" if task["is_pair"] else "single",
        "texts_kept": task["texts"] is not None,
        "labels": [*labels[:_MAX_LABELS], *more],
        "encoder": task["model_folder"],
        "encoder_fingerprint": task["model_fingerprint"],
        "megabytes": _megabytes(folder),
    }


def _stage(folder: Path, reference: Reference) -> dict[str, Any]:
    """A stage in the store, such as the shards of a source."""
    return {
        "what": f"stage {reference.stage}",
        "name": reference.name,
        "fingerprint": reference.fingerprint,
        "counts": reference.counts,
        "megabytes": _megabytes(folder),
    }


def _read_json(path: Path, *, max_bytes: int = MAX_JSON_BYTES) -> dict[str, Any]:
    try:
        value = read_json(path, max_bytes=max_bytes)
    except (OSError, ValueError) as error:
        raise StoreError(f"{path} is not readable JSON ({error}): copy or write the folder again") from error
    if not isinstance(value, dict):
        raise StoreError(f"{path} is not a JSON object: copy or write the folder again")
    return value


def _megabytes(folder: Path) -> float:
    return round(sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6, 2)
