"""What a task folder contains, and the task that it stands for: one converted into the other.

file, arrays = task_file(featurizer, state, …), task_arrays(state, delta)
state, delta = read_state(file, arrays), read_delta(file, arrays)
"""

from __future__ import annotations

from typing import Any

import numpy as np

from metamapping.adaptation.algebra.calibration import Calibration
from metamapping.adaptation.algebra.solution import LogisticPart, Solution
from metamapping.adaptation.algebra.support import Outside, Support
from metamapping.adaptation.featurizer import Featurizer
from metamapping.adaptation.grades import GradeCuts
from metamapping.adaptation.multi_label.label_decisions import LabelDecisions
from metamapping.adaptation.multi_label.multi_label_state import MultiLabelState
from metamapping.adaptation.saved.task_file import (
    GradeCutsFile,
    LogisticFile,
    OutsideFile,
    TaskFile,
    TuningFile,
)
from metamapping.adaptation.state import TaskState
from metamapping.adaptation.tuning.tuning_record import Tuning
from metamapping.corpus.labels import Label, label_value
from metamapping.corpus.tags import OUTSIDE
from metamapping.models.view_layout import NUM_VIEWS, NUM_WORD_VIEWS
from metamapping.models.weight_delta import WeightDelta
from metamapping.storage.remote import place_of

# Data type and number of axes of each array in ``mapping.safetensors``.
_ARRAYS = {
    "name_features": ("float32", 2),
    "features": ("float32", 2),
    "targets": ("int32", 1),
    "offsets": ("int64", 1),
    "weights": ("float32", 2),
    "prior": ("float32", 2),
}
# Only where a text has any number of labels; its targets are ones and zeros, (num_examples, num_labels).
_DECISIONS = {"slopes": ("float32", 1), "offsets_of_labels": ("float32", 1), "thresholds": ("float32", 1)}
_LOGISTIC_WEIGHTS = "logistic_weights"  # only where logistic regression is mixed with ridge regression
# Only where the types of entities have a mapping of their own.
_TYPES = ("type_weights", "type_prior")
_TUNED = "tuned/"  # what the names of the arrays of a delta begin with
_OUTSIDE_FEATURES = "outside_features"  # only where there are examples out of scope


def task_arrays(state: TaskState, delta: WeightDelta | None) -> dict[str, np.ndarray]:
    """Return the arrays of ``mapping.safetensors`` by name.

    Args:
        state: The task.
        delta: What tuning changed in the encoder, if it did.
    """
    arrays = {
        "name_features": state.name_features,
        "features": state.support.features,
        "targets": state.support.targets,
        "offsets": state.support.offsets,
        "weights": state.solution.weights,
        "prior": state.solution.prior,
    }
    if state.solution.logistic is not None:
        arrays[_LOGISTIC_WEIGHTS] = state.solution.logistic.weights
    if state.types is not None:
        arrays |= zip(_TYPES, (state.types.weights, state.types.prior), strict=True)
    if delta is not None:
        arrays |= {f"{_TUNED}{name}": array for name, array in delta.to_arrays().items()}
    if isinstance(state, MultiLabelState):
        decisions = state.decisions
        arrays |= zip(_DECISIONS, (decisions.slopes, decisions.offsets, decisions.thresholds), strict=True)
    if state.outside is not None:
        arrays[_OUTSIDE_FEATURES] = state.outside.support.features
    return arrays


def task_file(featurizer: Featurizer, state: TaskState, *, format_version: int, keep_texts: bool) -> TaskFile:
    """Return the contents of ``task.json``.

    Args:
        featurizer: The featurizer that the task was adapted with.
        state: The task.
        format_version: The version of the folder.
        keep_texts: Whether to store the examples' texts along with their features.
    """
    support, solution, calibration = state.support, state.solution, state.calibration
    texts, pairs = _stored_texts(support, keep_texts)
    labels: list[Any] = list(state.labels)
    rare: dict[str, Any] = {"is_ordinal": True} if state.is_ordinal else {}
    if state.is_multi_label:
        rare["multi_label"] = True
    if state.tuning is not None:
        # Without what is not set, so that releases without that field read the task.
        known = {name: value for name, value in vars(state.tuning).items() if name != "num_layers" or value}
        rare["tuning"] = TuningFile(**known)
    if (cuts := state.grade_cuts) is not None:
        rare["grade_cuts"] = GradeCutsFile(**(vars(cuts) | {"cuts": list(cuts.cuts)}))
    if calibration.slope and calibration.by_mean:
        rare["near_mean"] = True
    if featurizer.precision == "int8":
        rare["precision"] = "int8"
    if state.types is not None:
        rare["type_ridge"] = state.types.ridge
    if state.outside is not None:
        rare["outside"] = _outside_file(state.outside, keep_texts)
    return TaskFile(
        format_version=format_version,
        task_type=state.task_type,
        labels=labels,
        names=list(state.names),
        model_folder=place_of(featurizer.model.tokenizer_folder.absolute()),
        model_fingerprint=featurizer.fingerprint,
        ridge=solution.ridge,
        views=list(solution.views),
        logistic=_logistic_file(solution.logistic),
        scale=calibration.scale,
        centre=calibration.centre,
        slope=calibration.slope,
        num_examples=support.num_examples,
        is_pair=support.text_pairs is not None,
        texts=texts,
        text_pairs=pairs,
        **rare,
    )


def _outside_file(outside: Outside, keep_texts: bool) -> OutsideFile:
    texts, pairs = _stored_texts(outside.support, keep_texts)
    known = {} if outside.threshold is None else {"threshold": outside.threshold}
    return OutsideFile(
        label=outside.label,
        num_examples=outside.support.num_examples,
        texts=texts,
        text_pairs=pairs,
        **known,
    )


def _stored_texts(support: Support, keep_texts: bool) -> tuple[list[Any] | None, list[str] | None]:
    """The texts and second texts to store; a task that was loaded without texts has none."""
    if not keep_texts or None in support.texts:
        return None, None
    pairs = support.text_pairs
    return list(support.texts), None if pairs is None else [str(pair) for pair in pairs]


def _logistic_file(part: LogisticPart | None) -> LogisticFile | None:
    if part is None:
        return None
    return LogisticFile(**{name: getattr(part, name) for name in LogisticFile.model_fields})


def read_state(task: TaskFile, arrays: dict[str, np.ndarray]) -> TaskState:
    """Return the task that the contents of both files stand for.

    Args:
        task: The contents of ``task.json``.
        arrays: The arrays of ``mapping.safetensors``.

    Raises:
        KeyError: An array is missing.
        ValueError: The contents contradict each other.
    """
    specified = dict(_ARRAYS)
    if task.logistic is not None:
        specified[_LOGISTIC_WEIGHTS] = _ARRAYS["weights"]
    if task.type_ridge is not None:
        specified |= dict.fromkeys(_TYPES, _ARRAYS["weights"])
    if task.multi_label:
        specified |= {**_DECISIONS, "targets": ("int32", 2)}
    if task.outside is not None:
        specified[_OUTSIDE_FEATURES] = _ARRAYS["features"]
    for name, (dtype, num_axes) in specified.items():
        array = arrays[name]
        if array.dtype != dtype or array.ndim != num_axes or not np.isfinite(array).all():
            raise ValueError(
                f"its {name} do not fit the rest: expected finite numbers, {num_axes} axes of {dtype}"
            )
    count = task.num_examples
    if arrays["offsets"].shape != (count + 1,):
        raise ValueError("its offsets do not fit the rest")
    no_texts = (None,) * count
    pairs = None if not task.is_pair else no_texts if task.text_pairs is None else tuple(task.text_pairs)
    texts: tuple[Any, ...] = no_texts if task.texts is None else tuple(task.texts)
    num_views = NUM_WORD_VIEWS if task.task_type == "ner" else NUM_VIEWS
    state = TaskState(
        task_type=task.task_type,
        labels=_spelled(task),
        names=tuple(task.names),
        name_features=arrays["name_features"],
        support=Support(texts, pairs, arrays["features"], arrays["targets"], arrays["offsets"], num_views),
        solution=Solution(
            arrays["weights"],
            arrays["prior"],
            task.ridge,
            tuple(task.views),
            None
            if task.logistic is None
            else LogisticPart(arrays[_LOGISTIC_WEIGHTS], **task.logistic.model_dump()),
        ),
        calibration=Calibration(task.scale, task.centre, task.slope, by_mean=bool(task.near_mean)),
        tuning=None if task.tuning is None else Tuning(**task.tuning.model_dump()),
        outside=None if task.outside is None else _outside(task, task.outside, arrays),
        is_ordinal=task.is_ordinal,
        grade_cuts=None if task.grade_cuts is None else _grade_cuts(task.grade_cuts),
        types=None if task.type_ridge is None else _types(task.type_ridge, arrays),
    )
    if task.multi_label:
        state = MultiLabelState(**vars(state), decisions=LabelDecisions(*(arrays[n] for n in _DECISIONS)))
    _check_consistent(state, count)
    return state


def read_delta(task: TaskFile, arrays: dict[str, np.ndarray]) -> WeightDelta | None:
    """Return what tuning changed in the encoder, or ``None`` if it changed nothing.

    Args:
        task: The contents of ``task.json``.
        arrays: The arrays of ``mapping.safetensors``.

    Raises:
        ValueError: The contents contradict each other.
    """
    tuned = {name.removeprefix(_TUNED): array for name, array in arrays.items() if name.startswith(_TUNED)}
    if bool(tuned) != (task.tuning is not None and task.tuning.weight > 0):
        raise ValueError("its tuned weights do not fit the rest")
    return WeightDelta.from_arrays(tuned) if tuned else None


def _types(ridge: float, arrays: dict[str, np.ndarray]) -> Solution:
    weights, prior = (arrays[name] for name in _TYPES)
    return Solution(weights, prior, ridge)


def _grade_cuts(file: GradeCutsFile) -> GradeCuts:
    return GradeCuts(file.centre, file.scale, file.slope, tuple(file.cuts), file.share)


def _outside(task: TaskFile, outside: OutsideFile, arrays: dict[str, np.ndarray]) -> Outside:
    count, features = outside.num_examples, arrays[_OUTSIDE_FEATURES]
    no_texts = (None,) * count
    texts: tuple[Any, ...] = no_texts if outside.texts is None else tuple(outside.texts)
    pairs = no_texts if outside.text_pairs is None else tuple(outside.text_pairs)
    fits = len(texts) == len(pairs) == count == len(features) and task.task_type != "ner"
    if not fits or features.shape[1] != arrays["features"].shape[1]:
        raise ValueError("its examples out of scope do not fit the rest")
    targets, offsets = np.zeros(count, np.int32), np.arange(count + 1)
    of_pairs = pairs if task.is_pair and count else None
    support = Support(texts, of_pairs, features, targets, offsets, NUM_VIEWS)
    return Outside(outside.label, support, outside.threshold)


def _spelled(task: TaskFile) -> tuple[Label, ...]:
    """The labels in the spelling of ``label_value``; tasks of earlier versions may have a label ``1.0``."""
    stored: tuple[Label, ...] = tuple(task.labels)
    spelled = [label_value(label) for label in stored]
    is_clear = task.task_type != "ner" and len(set(spelled)) == len(spelled)
    return tuple(label for label in spelled if label is not None) if is_clear else stored


def _are_cuts(grade_cuts: GradeCuts, num_labels: int) -> bool:
    return len(grade_cuts.cuts) == num_labels - 1 and list(grade_cuts.cuts) == sorted(grade_cuts.cuts)


def _check_consistent(state: TaskState, num_examples: int) -> None:
    """Raise ``ValueError`` with the first part of a task whose size or values do not fit the others."""
    support, solution, is_ner = state.support, state.solution, state.is_ner
    num_labels, num_views = len(state.labels), support.num_views
    num_items, width = support.features.shape
    texts, pairs = support.texts, support.text_pairs
    fits = {
        "names": len(state.names) == num_labels == len(set(state.labels)),
        "name_features": state.name_features.shape == (num_labels, width // num_views)
        and width % num_views == 0,
        # The views of words are already weighted in their features.
        "views": len(solution.views) == (0 if is_ner else num_views - 1),
        "grades": not (state.is_ordinal and (is_ner or state.is_multi_label))
        and (state.grade_cuts is None or (state.is_ordinal and _are_cuts(state.grade_cuts, num_labels))),
        "labels": num_labels >= state.min_labels and (not is_ner or state.labels[0] == OUTSIDE),
        "texts": len(texts) == num_examples
        and (pairs is None or (len(pairs) == num_examples and not is_ner))
        and all(text is None or isinstance(text, list) == is_ner for text in texts),
        "offsets": support.offsets[0] == 0
        and support.offsets[-1] == num_items
        and bool((np.diff(support.offsets) >= (0 if is_ner else 1)).all())
        and (is_ner or num_examples == num_items),
        "targets": support.targets.shape
        == ((num_items, num_labels) if state.is_multi_label else (num_items,))
        and bool(
            ((support.targets >= 0) & (support.targets < (2 if state.is_multi_label else num_labels))).all()
        ),
        "decisions": not isinstance(state, MultiLabelState)
        or (not is_ner and all(each.shape == (num_labels,) for each in vars(state.decisions).values())),
        "weights": solution.weights.shape == solution.prior.shape == (width + 1, num_labels),
        "logistic weights": solution.logistic is None
        or (not is_ner and solution.logistic.weights.shape == (width + 1, num_labels)),
        "type weights": state.types is None
        or (is_ner and state.types.weights.shape == state.types.prior.shape == (width + 1, num_labels - 1)),
    }
    for name, is_fitting in fits.items():
        if not is_fitting:
            raise ValueError(f"its {name} do not fit the rest")
