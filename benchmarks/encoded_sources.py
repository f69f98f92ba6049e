"""Real sources with the features of one encoder, encoded once and kept in a folder.

    sources = read_sources(cache, names=["banking77", "trec6"])
    sources["banking77"].features                  # float32 (num_rows, text_dim)

In: the real data under `METAMAPPING_DATA`, and the untrained all-MiniLM-L6-v2. Each source is shuffled with a
fixed seed, cut at `NUM_ROWS` rows, and free of repeated texts.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from benchmarks.real_run import packaged_encoder
from metamapping.adaptation.algebra.calibration import Calibration, calibrate
from metamapping.adaptation.algebra.plain_mapping import plain_mapping
from metamapping.adaptation.algebra.runtime_solution import solve
from metamapping.adaptation.algebra.solution import Solution
from metamapping.adaptation.algebra.support import Examples, empty_support
from metamapping.adaptation.featurizer import Featurizer
from metamapping.adaptation.label_checks.label_checks import solved_unfitted
from metamapping.adaptation.state import TaskState
from metamapping.config.corpus import CleaningSpec
from metamapping.config.encoder import EncoderSpec
from metamapping.config.sources import readable_label
from metamapping.config.training import TrainingSpec
from metamapping.corpus.tokenizer import write_tokenizer
from metamapping.models.view_layout import NUM_VIEWS
from metamapping.publishing.pretrained_model import read_encoder
from metamapping.runtime.mapping import LearnedMapping

NUM_ROWS = 1_000
# Sources from whose rows many are chosen, or to whose labels noise is added, need more rows.
_LARGE = {"banking77": 5_000, "20newsgroups": 4_000, "emotion": 4_000, "stackoverflow": 1_500, "trec6": 1_500}
_MAX_LENGTH_TOKENS, _MAX_LENGTH_TOKENS_OF_LARGE = 64, 128
_TREC = ["description", "entity", "abbreviation", "human", "location", "number"]
_STANCES = ("abortion", "atheism", "climate", "feminist", "hillary")
_REVIEWS = ("apparel.t2", "baby.t4")


class EncodedSource(NamedTuple):
    """The rows of one source.

    ``features`` is float32 ``(num_rows, text_dim)``, ``targets`` the label slots ``(num_rows,)``, and
    ``names`` the features of the labels' names, ``(num_labels, dim)``.
    """

    texts: np.ndarray
    features: np.ndarray
    targets: np.ndarray
    labels: list[str]
    names: np.ndarray


def source_names() -> list[str]:
    """The names of all sources."""
    return list(_readers(Path()))


def read_sources(folder: Path, names: Sequence[str] | None = None) -> dict[str, EncodedSource]:
    """Read the sources, and encode those that ``folder`` does not have yet.

    Args:
        folder: Where features are kept.
        names: The sources to read; default: all.

    Returns:
        The sources by name.
    """
    folder.mkdir(parents=True, exist_ok=True)
    return {name: _read_source(folder / f"{name}.npz", name) for name in names or source_names()}


@cache
def untrained_featurizer(max_length_tokens: int = _MAX_LENGTH_TOKENS) -> Featurizer:
    """The pretrained encoder before any meta-step."""
    # These import TensorFlow, which features that were kept do not need.
    from metamapping.publishing.published_model import PublishedModel
    from metamapping.training.learner import build_learner

    spec = EncoderSpec(preset=packaged_encoder(), max_length_tokens=max_length_tokens)
    tokenizer = Path(tempfile.mkdtemp(prefix="benchmark-tokenizer-"))
    write_tokenizer(spec, [], tokenizer)
    learner = build_learner(spec, TrainingSpec(), vocabulary_size=0, seed=0)
    model = PublishedModel(learner.encoder, learner.mapping, tokenizer, max_length_tokens, CleaningSpec())
    return Featurizer(model, progress=False)


@cache
def untrained_mapping() -> LearnedMapping:
    """The mapping before any meta-step; it is read, and solved, without TensorFlow."""
    return plain_mapping(read_encoder(packaged_encoder()).mapping)


def task_of(source: EncodedSource, rows: np.ndarray, targets: np.ndarray | None = None) -> TaskState:
    """The task whose examples are these rows of a source.

    Args:
        source: The source; all its labels are the task's.
        rows: Positions of the examples; none for a zero-shot task.
        targets: Their label slots, ``(len(rows),)``; default: those of the source.
    """
    mapping, state = untrained_mapping(), _unsolved(source, rows, targets)
    is_outside = np.zeros(len(source.labels), bool)
    solution = solve(mapping, source.names, is_outside, state.support)
    scale = mapping.hyperparameters.inverse_temperature
    calibration = calibrate(solution, state.support, learned_scale=scale) if len(rows) else Calibration(scale)
    return replace(state, solution=solution, calibration=calibration)


def unfitted_task_of(source: EncodedSource, rows: np.ndarray, targets: np.ndarray) -> TaskState:
    """The task whose labels are to be checked, as ``MetaMapper.suspicious_labels`` makes it.

    Args:
        source: The source; all its labels are the task's.
        rows: Positions of the examples.
        targets: Their label slots, ``(len(rows),)``.
    """
    return solved_unfitted(untrained_mapping(), _unsolved(source, rows, targets))


def _unsolved(source: EncodedSource, rows: np.ndarray, targets: np.ndarray | None) -> TaskState:
    """The state of a task without a solution."""
    targets = source.targets[rows] if targets is None else targets
    support = empty_support(source.names.shape[1], NUM_VIEWS).plus(
        Examples(source.texts[rows].tolist(), [source.labels[slot] for slot in targets], None),
        source.features[rows],
        np.arange(len(rows) + 1),
        targets,
    )
    nothing = np.zeros((source.features.shape[1] + 1, len(source.labels)), np.float32)
    return TaskState(
        task_type="text-classification",
        labels=tuple(source.labels),
        names=tuple(source.labels),
        name_features=source.names,
        support=support,
        solution=Solution(nothing, nothing, None),
        calibration=Calibration(1.0),
    )


def with_labels_of(source: EncodedSource, rows: np.ndarray) -> EncodedSource:
    """The rows of a source whose labels occur among the given rows, with these labels alone."""
    present = np.unique(source.targets[rows])
    kept = np.isin(source.targets, present)
    return EncodedSource(
        texts=source.texts[kept],
        features=source.features[kept],
        targets=np.searchsorted(present, source.targets[kept]),
        labels=[source.labels[label] for label in present],
        names=source.names[present],
    )


def _read_source(path: Path, name: str) -> EncodedSource:
    if not path.is_file():
        source = _encode(name)
        np.savez(path, **source._asdict())
    with np.load(path) as arrays:
        return EncodedSource(**{**arrays, "labels": arrays["labels"].tolist()})


def _encode(name: str) -> EncodedSource:
    frame = _readers(Path(os.environ["METAMAPPING_DATA"]))[name]()
    frame = frame.dropna().drop_duplicates(frame.columns[:-1].tolist())
    frame = frame.sample(frac=1, random_state=0)[: _LARGE.get(name, NUM_ROWS)]
    texts, *pairs = (frame[column].astype(str).tolist() for column in frame.columns[:-1])
    labels, targets = np.unique(frame["label"].astype(str), return_inverse=True)
    featurizer = untrained_featurizer(_MAX_LENGTH_TOKENS_OF_LARGE if name in _LARGE else _MAX_LENGTH_TOKENS)
    kept = ~featurizer.is_empty(texts)
    return EncodedSource(
        texts=np.asarray(texts)[kept],
        features=featurizer.texts(texts, *pairs)[kept],
        targets=targets[kept],
        labels=labels.tolist(),
        names=featurizer.names([readable_label(label, {}) for label in labels]),
    )


def _readers(root: Path) -> dict[str, Callable[[], pd.DataFrame]]:
    """For each source a function that reads its rows: texts, or two columns of texts, and then `label`."""
    texts, pairs = root / "text-classification", root / "text-pair"
    files = {
        "trec6": [texts / "trec6" / f"{split}.csv" for split in ("train", "test")],
        **{topic: [texts / "topics" / f"{topic}.csv"] for topic in ("stackoverflow", "searchsnippets")},
        "biomedical": [texts / "topics" / "biomedical.csv"],
        "mpqa": [root / "sentiment-analysis" / "mpqa.csv"],
        "rte": [pairs / "rte.csv"],
        "question-pairs": [pairs / "qqp10k.csv"],
    }
    for tweets in ("emotion", "hate", "irony", "offensive", *(f"stance_{each}" for each in _STANCES)):
        files[tweets] = [texts / "tweeteval" / tweets / f"{split}.csv" for split in ("train", "val", "test")]
    readers: dict[str, Callable[[], pd.DataFrame]] = {
        name: lambda paths=paths: _read_tables(paths)  # type: ignore[misc]
        for name, paths in files.items()
    }
    for name in ("banking77", "clinc150", "snips", "topics/20newsgroups"):
        readers[name.split("/")[-1]] = lambda path=texts / f"{name}.jsonl": pd.read_json(  # type: ignore[misc]
            path, lines=True
        )[["text", "label"]]
    for domain in _REVIEWS:
        path = root / "sentiment-analysis" / "arsc" / f"{domain}.train"
        readers[f"reviews-{domain}"] = lambda path=path: _read_reviews(path)  # type: ignore[misc]
    return readers


def _read_tables(paths: Sequence[Path]) -> pd.DataFrame:
    frame = pd.concat([pd.read_csv(path) for path in paths])
    if paths[0].parent.name == "trec6":
        frame["label"] = [_TREC[label] for label in frame["label"]]
    return frame


def _read_reviews(path: Path) -> pd.DataFrame:
    frame = pd.read_csv(path, sep="\t", header=None, names=["text", "label"], quoting=3)
    return frame.assign(label=frame["label"].map({1: "positive", -1: "negative"}))
