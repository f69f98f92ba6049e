"""Classifier folder: saves a fitted classifier of ``metamapping.sklearn`` as a folder, and reads it back.

The folder contains the task (``task/``) and ``classifier.json`` with the classes and parameters. It contains
no code and no pickle.

    write_classifier(Path("classifiers/orders"), fitted, mapping, keep_texts=True)
    read_classifier(Path("classifiers/orders")).classes
"""

from __future__ import annotations

from collections import abc
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from metamapping.adaptation.saved.task_folder import CLASSIFIER_TASK
from metamapping.adaptation.task_mapping import Mapping
from metamapping.corpus.labels import Label, label_value
from metamapping.errors import StoreError, one_line
from metamapping.storage.artifacts import Stage, write_manifest
from metamapping.storage.atomic_folder import atomic_folder
from metamapping.storage.bounded_json import read_json
from metamapping.storage.manifest import check_files, write_json

CLASSIFIER = "classifier.json"
FORMAT_VERSION = 1


@dataclass(frozen=True)
class FittedClassifier:
    """What a fitted classifier knows in addition to its task.

    Attributes:
        classes: The classes in sorted order, ``(num_classes,)``.
        label_names: Readable words by label, as its parameter.
        tune: Whether the encoder was to be tuned, as its parameter.
        ordinal: The labels in their order, as its parameter.
        out_of_scope: The label of texts that belong to none of the others, as its parameter.
    """

    classes: np.ndarray
    label_names: abc.Mapping[Any, str] | None
    tune: bool | float
    ordinal: abc.Sequence[Any] | None
    out_of_scope: Any


class _ClassifierFile(BaseModel):
    """The contents of ``classifier.json``."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)

    format_version: int
    classes: list[str] | list[bool] | list[int | float]
    dtype: Annotated[str, Field(pattern=r"^[<>|=]?[biufUO]\d*$")]
    # JSON has no tuples: pairs are read from lists.
    label_names: list[Annotated[tuple[Label, str], Field(strict=False)]] | None
    # Only in the files of classifiers that were to be tuned; releases that know no tuning refuse those.
    tune: bool | Annotated[float, Field(gt=0)] = False
    ordinal: list[Label] | None = None
    out_of_scope: Label | None = None


def write_classifier(folder: Path, fitted: FittedClassifier, mapping: Mapping, *, keep_texts: bool) -> Path:
    """Save a classifier atomically; an older one in the same folder is replaced.

    Args:
        folder: The folder to write.
        fitted: Its classes and parameters.
        mapping: Its task.
        keep_texts: Whether to store the examples' texts, as for ``Mapping.save``.

    Returns:
        The absolute path of the folder.

    Raises:
        ValueError: The folder contains something else, or the labels are not strings, booleans or numbers.
    """
    folder = folder.absolute()
    if folder.exists() and not (folder / CLASSIFIER).is_file() and not _is_empty_folder(folder):
        raise ValueError(f"{folder} already exists and is not a saved classifier: give another folder")
    content = _content(fitted)
    with atomic_folder(folder) as draft:
        mapping.save(draft / CLASSIFIER_TASK, keep_texts=keep_texts)
        write_json(draft / CLASSIFIER, content)
        write_manifest(draft, Stage("classifier", folder.name, FORMAT_VERSION, {}, []), {})
    return folder


def read_classifier(folder: Path) -> FittedClassifier:
    """Read the classes and parameters of a saved classifier; its task is in ``task/``.

    Args:
        folder: The folder of the classifier.

    Raises:
        FileNotFoundError: The folder is not a saved classifier.
        StoreError: The folder is damaged.
    """
    if not (folder / CLASSIFIER).is_file():
        raise FileNotFoundError(f"{folder} is not a saved classifier: it has no {CLASSIFIER}")
    check_files(folder, [CLASSIFIER])
    try:
        about = _ClassifierFile.model_validate(read_json(folder / CLASSIFIER))
        if about.format_version != FORMAT_VERSION:
            raise ValueError(f"format version {about.format_version}, expected {FORMAT_VERSION}")
        classes = np.array(about.classes, dtype=np.dtype(about.dtype))
        names = None if about.label_names is None else dict(about.label_names)
    except (ValueError, TypeError) as error:
        raise StoreError(
            f"{folder} is not a saved classifier of this release ({one_line(error)}): save it again"
        ) from error
    return FittedClassifier(classes, names, about.tune, about.ordinal, about.out_of_scope)


def _content(fitted: FittedClassifier) -> dict[str, Any]:
    """The contents of ``classifier.json``.

    What was not asked for is left out, so that earlier releases read all other classifiers.
    """
    classes: list[Any] = fitted.classes.tolist()
    if None in map(label_value, classes):
        raise ValueError(
            f"the labels have the type {fitted.classes.dtype}, which cannot be saved: fit with strings, "
            "booleans or numbers"
        )
    names: list[tuple[Any, str]] | None = None
    if fitted.label_names is not None:
        names = [(_plain(label), name) for label, name in fitted.label_names.items()]
    about = _ClassifierFile(
        format_version=FORMAT_VERSION,
        classes=classes,
        dtype=fitted.classes.dtype.str,
        label_names=names,
        tune=_plain(fitted.tune),
    )
    content = about.model_dump(mode="json")
    if not fitted.tune:
        del content["tune"]
    if fitted.ordinal is None:
        del content["ordinal"]
    else:
        content["ordinal"] = [_plain(grade) for grade in fitted.ordinal]
    if fitted.out_of_scope is None:
        del content["out_of_scope"]
    else:
        content["out_of_scope"] = label_value(fitted.out_of_scope)
    return content


def _plain(value: Any) -> Any:
    """A scalar of NumPy as one of Python, anything else unchanged."""
    return value.item() if isinstance(value, np.generic) else value


def _is_empty_folder(folder: Path) -> bool:
    return folder.is_dir() and not any(folder.iterdir())
