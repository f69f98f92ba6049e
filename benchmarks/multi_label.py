"""Several labels a text: GoEmotions, 28 emotions, against one-vs-rest logistic regression.

    METAMAPPING_DATA=path/to/data python -m benchmarks.multi_label --cache features

All methods have the same untrained all-MiniLM-L6-v2 and the same examples: rows of the train file, drawn
until each emotion has 4, 8 or 16 (rare emotions all they have). All rows of the test file are predicted;
nothing is chosen on them. Logistic regression is scikit-learn's default on the first view of the features,
with and without balanced classes, with a threshold of 0.5 and with thresholds of the best F1 in left-out
folds, one for each label or one for all. With `--tune`, the encoder is also tuned to the same examples, as
the gate decides; `--no-logistic` leaves logistic regression out.
"""

from __future__ import annotations

import argparse
import json
import os
import time
import warnings
from collections import defaultdict
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np

from metamapping.adaptation.algebra.support import Examples
from metamapping.adaptation.multi_label.multi_label_mapping import MultiLabelMapping
from metamapping.adaptation.multi_label.multi_label_state import empty_multi_label_state, with_label_lists
from metamapping.config.sources import readable_label
from metamapping.corpus.word_shapes import EDGE, WINDOW
from metamapping.models.view_layout import NUM_VIEWS
from metamapping.runtime.mapping import LearnedHyperparameters, LearnedMapping

SHOTS = (4, 8, 16)
_NUM_FOLDS = 5
_MAX_ITERATIONS = 1_000


class Encoded(NamedTuple):
    """The rows of a file: features ``(num_rows, text_dim)`` and labels, bool ``(num_rows, num_labels)``."""

    features: np.ndarray
    labels: np.ndarray


class KeptFeatures:
    """A featurizer whose texts are row numbers of features that are known already.

    Args:
        features: Float32 ``(num_rows, text_dim)``.
        names: Features of the label names, by name.
    """

    def __init__(self, features: np.ndarray, names: dict[str, np.ndarray]) -> None:
        self._features, self._names = features, names
        self.text_dim, self.dim = features.shape[1], features.shape[1] // NUM_VIEWS
        self.model = SimpleNamespace(mapping=untrained_mapping(self.dim))

    def texts(self, texts: list[str], text_pairs: None = None) -> np.ndarray:
        """The features of rows."""
        return self._features[list(map(int, texts))]

    def names(self, names: list[str]) -> np.ndarray:
        """The features of names."""
        return np.stack([self._names[name] for name in names])

    def is_empty(self, texts: list[str]) -> np.ndarray:
        """No row is empty."""
        return np.zeros(len(texts), bool)


def untrained_mapping(dim: int) -> LearnedMapping:
    """The mapping before any meta-step, as ``models.mapping.MetaMapping`` begins."""
    return LearnedMapping(
        solver="ridge",
        prior_kernel=np.eye(dim, dtype=np.float32),
        prior_bias=np.zeros(dim, np.float32),
        label_map=np.eye(dim, dtype=np.float32),
        outside=np.zeros(dim, np.float32),
        word_shapes=np.zeros((WINDOW, EDGE + 1, dim), np.float32),
        hyperparameters=LearnedHyperparameters(
            alpha=0.5,
            ridge=1.0,
            inverse_temperature=10.0,
            alpha_spread=0.5,
            ridge_spread=1.1,
            word_ridge=3.0,
            views=np.full(NUM_VIEWS - 1, 0.2, np.float32),
        ),
    )


def read_goemotions(cache: Path) -> tuple[Encoded, Encoded, list[str], np.ndarray]:
    """The train and the test file, the labels, and the features of their names; encoded once.

    Args:
        cache: Folder where features are kept.
    """
    folder = Path(os.environ["METAMAPPING_DATA"]) / "multi-label"
    parts = {part: _rows(folder / f"goemotions.{part}.jsonl") for part in ("train", "test")}
    labels = sorted({label for rows in parts.values() for row in rows for label in row["labels"]})
    path = cache / "goemotions.npz"
    if not path.is_file():
        from benchmarks.encoders import untrained_mapper  # it imports TensorFlow
        from benchmarks.real_run import packaged_encoder

        featurizer = untrained_mapper(packaged_encoder()).featurizer
        encoded: dict[str, Any] = {
            part: featurizer.texts([row["text"] for row in rows]) for part, rows in parts.items()
        }
        names = featurizer.names([readable_label(label, {}) for label in labels])
        cache.mkdir(parents=True, exist_ok=True)
        np.savez(path, names=names, **encoded)
    kept = np.load(path)
    train, test = (
        Encoded(kept[part], np.array([[label in row["labels"] for label in labels] for row in rows]))
        for part, rows in parts.items()
    )
    return train, test, labels, kept["names"]


def draw(labels: np.ndarray, shots: int, seed: int) -> np.ndarray:
    """Rows of which each label has at least ``shots``, or all that it has; rare labels are drawn first.

    Args:
        labels: Bool ``(num_rows, num_labels)``.
        shots: Examples of each label.
        seed: Determines the draw.
    """
    rng = np.random.default_rng([seed, shots])
    chosen: set[int] = set()
    for label in np.argsort(labels.sum(axis=0), kind="stable"):
        rows = rng.permutation(np.flatnonzero(labels[:, label])).tolist()
        missing = shots - sum(row in chosen for row in rows)
        chosen.update([row for row in rows if row not in chosen][: max(missing, 0)])
    return np.array(sorted(chosen))


def metamapping_predictions(
    train: Encoded, rows: np.ndarray, test: Encoded, labels: list[str], names: np.ndarray
) -> np.ndarray:
    """What a task predicts for the test rows: bool ``(num_rows, num_labels)``."""
    words = [readable_label(label, {}) for label in labels]
    featurizer: Any = KeptFeatures(
        np.concatenate([train.features, test.features]), dict(zip(words, names, strict=True))
    )
    lists: list[Any] = [[labels[c] for c in np.flatnonzero(row)] for row in train.labels[rows]]
    state = with_label_lists(
        featurizer,
        empty_multi_label_state(featurizer, "text-classification"),
        Examples(list(map(str, rows)), lists, None),
        {},
    )
    mapping = MultiLabelMapping(featurizer, state)
    first = len(train.features)
    predicted = mapping.predict([str(first + i) for i in range(len(test.features))])
    return np.array([[label in row for label in labels] for row in predicted])


class Tuner:
    """Tunes the encoder to rows of the train file, and predicts the test file."""

    def __init__(self) -> None:
        from benchmarks.real_run import packaged_encoder
        from metamapping import MetaMapper

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the mapping is not trained, as is said above
            self._mapper = MetaMapper.from_pretrained(packaged_encoder(), progress=False)
        folder = Path(os.environ["METAMAPPING_DATA"]) / "multi-label"
        self._train, self._test = (_rows(folder / f"goemotions.{part}.jsonl") for part in ("train", "test"))

    def predictions(self, rows: np.ndarray, labels: list[str]) -> np.ndarray:
        """What the task of some train rows predicts for the test rows: bool ``(num_rows, num_labels)``."""
        examples = [self._train[row] for row in rows]
        columns = ([row[name] for row in examples] for name in ("text", "labels"))
        started = time.process_time()
        mapping = self._mapper.adapt(*columns, multi_label=True, tune=True)
        print(f"{mapping.tuning}; {time.process_time() - started:.0f} s of CPU time", flush=True)
        predicted = mapping.predict([row["text"] for row in self._test])
        return np.array([[label in row for label in labels] for row in predicted])


def logistic_probabilities(
    x: np.ndarray, labels: np.ndarray, queries: np.ndarray, class_weight: str | None
) -> np.ndarray:
    """One-vs-rest logistic regression as scikit-learn has it by default: ``(num_queries, num_labels)``."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    probabilities = np.zeros((len(queries), labels.shape[1]))
    # In coordinates of the examples' span the fit is the same, and much faster.
    basis = np.linalg.svd(x, full_matrices=False)[2].T
    x, queries = x @ basis, queries @ basis
    for c in range(labels.shape[1]):
        if not labels[:, c].any():
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            classifier = LogisticRegression(max_iter=_MAX_ITERATIONS, class_weight=class_weight)
            fitted = classifier.fit(x, labels[:, c])
        probabilities[:, c] = fitted.predict_proba(queries)[:, 1]
    return probabilities


def logistic_predictions(
    train: Encoded, rows: np.ndarray, test: Encoded, *, seed: int, class_weight: str | None
) -> dict[str, np.ndarray]:
    """What logistic regression predicts for the test rows, by how its thresholds are chosen."""
    dim = train.features.shape[1] // NUM_VIEWS
    x, labels = train.features[rows, :dim], train.labels[rows]
    fold_of = np.random.default_rng(seed).permutation(len(rows)) % _NUM_FOLDS
    left_out = np.zeros(labels.shape)
    for fold in range(_NUM_FOLDS):
        mine = fold_of == fold
        left_out[mine] = logistic_probabilities(x[~mine], labels[~mine], x[mine], class_weight)
    probabilities = logistic_probabilities(x, labels, test.features[:, :dim], class_weight)
    each = np.array([_best(left_out[:, [c]], labels[:, [c]]) for c in range(labels.shape[1])])
    name = "logistic regression" if class_weight is None else f"{class_weight} logistic regression"
    return {
        f"{name}, 0.5": probabilities >= 0.5,
        f"{name}, a threshold for each label by folds": probabilities >= each,
        f"{name}, one threshold by folds": probabilities >= _best(left_out, labels),
    }


def f1_scores(gold: np.ndarray, predicted: np.ndarray) -> tuple[float, float]:
    """Macro-F1 and micro-F1; a label that is neither there nor predicted counts as 0."""
    correct, total = (gold & predicted).sum(axis=0), gold.sum(axis=0) + predicted.sum(axis=0)
    macro = float((2 * correct / np.maximum(total, 1)).mean())
    return macro, float(2 * correct.sum() / max(total.sum(), 1))


def _best(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """The threshold of the best macro-F1, in the middle between two probabilities."""
    values = np.unique(probabilities)
    if len(values) < 2:
        return 1.0
    grid = 0.5 * (values[1:] + values[:-1])
    # Of very many thresholds the highest matter, since most labels are rare.
    grid = grid[np.unique(np.linspace(max(0, len(grid) - 1_200), len(grid) - 1, 300).astype(int))]
    scores = [f1_scores(labels, probabilities >= threshold)[0] for threshold in grid]
    return float(grid[int(np.argmax(scores))])


def _rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--cache", type=Path, default=Path("build/multi-label"))
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--shots", type=int, nargs="+", default=SHOTS)
    parser.add_argument("--tune", action="store_true", help="tune the encoder as well")
    parser.add_argument("--no-logistic", action="store_true", help="without logistic regression")
    options = parser.parse_args()
    train, test, labels, names = read_goemotions(options.cache)
    scores: dict[tuple[str, int], list[tuple[float, float]]] = defaultdict(list)
    sizes: dict[int, list[int]] = defaultdict(list)
    tuner = Tuner() if options.tune else None
    for shots in options.shots:
        for seed in range(options.draws):
            rows = draw(train.labels, shots, seed)
            sizes[shots].append(len(rows))
            predictions = {"metamapping": metamapping_predictions(train, rows, test, labels, names)}
            if tuner is not None:
                predictions["tuned"] = tuner.predictions(rows, labels)
            for weight in () if options.no_logistic else (None, "balanced"):
                predictions |= logistic_predictions(train, rows, test, seed=seed, class_weight=weight)
            for method, predicted in predictions.items():
                scores[method, shots].append(f1_scores(test.labels, predicted))
            found = {
                method: f"{100 * values[-1][0]:.1f}" for (method, n), values in scores.items() if n == shots
            }
            print(f"{shots} examples, draw {seed}: {len(rows)} rows, macro-F1 {found}", flush=True)
    print("rows", {shots: np.mean(counts).round(1) for shots, counts in sizes.items()})
    print("| method |" + "".join(f" {shots} macro | {shots} micro |" for shots in options.shots))
    for method in dict.fromkeys(method for method, _ in scores):
        cells = []
        for shots in options.shots:
            values = 100 * np.array(scores[method, shots])
            means, spread = values.mean(axis=0), values.std(axis=0, ddof=min(1, len(values) - 1))
            cells += [f"{means[i]:.1f} ± {spread[i]:.1f}" for i in range(2)]
        print(f"| {method} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
