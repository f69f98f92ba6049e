"""What to label next: learning curves of suggested texts, compared with those that other strategies choose.

    pip install small-text
    METAMAPPING_DATA=path/to/data python -m benchmarks.suggestion [--cache FOLDER] [--draws 5]

In: sources of `encoded_sources`, with the untrained encoder. The task begins with the names of its labels
alone. Up to each number of examples the texts are chosen at once from a pool, labelled as in the source, and
added. Every method has the same features, and is followed by the same ridge regression with the encoder's
hyperparameters, not fitted to the task; margin sampling is what small-text calls breaking ties. Out: accuracy
on rows outside of the pool, and how many suggested labels are worth as much as those of the other methods, as
Markdown.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.encoded_sources import EncodedSource, read_sources, task_of, untrained_mapping
from benchmarks.markdown_tables import markdown
from metamapping.adaptation.state import TaskState
from metamapping.adaptation.suggestion import suggest_items

SOURCES = ("banking77", "20newsgroups", "emotion")
SHOTS = (1, 2, 4, 8, 20)  # examples for each label on average
# The strategies of small-text that need no second classifier; its breaking ties is `margin`.
PEERS = {
    "small-text, least confidence": "LeastConfidence",
    "small-text, entropy": "PredictionEntropy",
    "small-text, contrastive": "ContrastiveActiveLearning",
    "small-text, k-means": "EmbeddingKMeans",
    "small-text, greedy coreset": "GreedyCoreset",
    "small-text, lightweight coreset": "LightweightCoreset",
}
METHODS = ("random", "margin", *PEERS, "suggested")
_POOL, _TEST_ROWS = 2_000, 1_000


def main() -> None:
    """Print the table of "What to label next" in benchmarks/README.md."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--cache", default=".metamapping/benchmark-features", help="folder for features")
    parser.add_argument("--draws", type=int, default=5, help="pools for each source")
    parser.add_argument("--sources", nargs="+", default=SOURCES, help="sources of `encoded_sources`")
    parser.add_argument("--methods", nargs="+", default=METHODS, choices=METHODS)
    options = parser.parse_args()
    rows: dict[str, Sequence[str]] = {}
    worth: dict[str, Sequence[str]] = {}
    for name in options.sources:
        source = read_sources(Path(options.cache), [name])[name]
        means: dict[str, np.ndarray] = {}
        for method in options.methods:
            started = time.process_time()
            curves = np.asarray([curve(source, method, seed) for seed in range(options.draws)])
            cells = [_cell(curves[:, step]) for step in range(curves.shape[1])]
            rows[f"{name}, {method}"], means[method] = cells, curves.mean(axis=0)
            print(f"{name} {method} {cells} {time.process_time() - started:.0f} CPU s", flush=True)
        for method in means if "suggested" in means else ():
            if method != "suggested":
                needed = labels_needed(means["suggested"][1:], means[method][1:])
                worth[f"{name}, {method}"] = [_needed(each) for each in needed]
    print(f"\n{options.draws} draws\n")
    print(markdown(rows, ["names alone", *map(str, SHOTS)], heading="source, method"))
    print()
    print(markdown(worth, list(map(str, SHOTS)), heading="source, examples a label by"))


def labels_needed(suggested: np.ndarray, other: np.ndarray) -> list[float]:
    """How many suggested examples a label are worth as much as each number of ``SHOTS`` of another method.

    Args:
        suggested: Accuracies at ``SHOTS``, NaN where it was not measured.
        other: Those of the other method.

    Returns:
        Numbers of examples, on a line between the logarithms of two of ``SHOTS``: 0 if fewer than the first
        are enough, infinity if the last are too few, NaN where nothing was measured.
    """
    known = np.isfinite(suggested)
    logs, reached = np.log(SHOTS)[known], np.maximum.accumulate(suggested[known])
    needed = []
    for accuracy in other:
        if np.isnan(accuracy) or not len(reached):
            needed.append(float("nan"))
        elif accuracy <= reached[0]:
            needed.append(0.0 if accuracy < reached[0] else float(SHOTS[0]))
        elif accuracy > reached[-1]:
            needed.append(float("inf"))
        else:
            needed.append(float(np.exp(np.interp(accuracy, reached, logs))))
    return needed


def _needed(number: float) -> str:
    if np.isnan(number):
        return "–"
    if np.isinf(number):
        return "more than measured"
    return f"under {SHOTS[0]}" if number == 0 else f"{number:.1f}"


def curve(source: EncodedSource, method: str, seed: int) -> list[float]:
    """The accuracy with no example, and after each number of ``SHOTS`` that the pool allows."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(source.targets))
    test, pool = order[:_TEST_ROWS], order[_TEST_ROWS : _TEST_ROWS + _POOL]
    chosen = np.zeros(0, int)
    state = _state(source, chosen)
    accuracies = [_accuracy(source, state, test)]
    for shots in SHOTS:
        num = shots * len(source.labels) - len(chosen)
        if shots * len(source.labels) > len(pool) / 2:
            accuracies.append(float("nan"))
            continue
        free = rng.permutation(np.setdiff1d(pool, chosen))
        chosen = np.concatenate([chosen, free[_choose(state, source.features[free], method, num)]])
        state = _state(source, chosen)
        accuracies.append(_accuracy(source, state, test))
    return accuracies


def _choose(state: TaskState, features: np.ndarray, method: str, num: int) -> np.ndarray:
    if method == "random":
        return np.arange(num)
    if method == "margin":
        top = np.sort(state.probabilities(features), axis=-1)
        return np.argsort(top[:, -1] - top[:, -2], kind="stable")[:num]
    if method in PEERS:
        return _peer(state, features, num, PEERS[method])
    return suggest_items(state, features, num)[0]


def _peer(state: TaskState, features: np.ndarray, num: int, name: str) -> np.ndarray:
    """What a strategy of small-text chooses, given the features of the pool and of the examples."""
    try:
        from small_text import query_strategies
    except ModuleNotFoundError:
        raise SystemExit("small-text is not installed: pip install small-text") from None
    if name == "GreedyCoreset" and not state.support.num_examples:
        return np.arange(num)  # It needs examples to begin with: random ones.
    np.random.seed(0)  # small-text draws from NumPy's global generator
    every = np.concatenate([features, state.support.features])
    unlabelled = np.arange(len(features))
    labelled = np.arange(len(features), len(every))
    strategy, targets = getattr(query_strategies, name)(), state.support.targets
    if isinstance(strategy, query_strategies.EmbeddingBasedQueryStrategy):
        strategy.pbar = None
    chosen = strategy.query(_Classifier(state), every, unlabelled, labelled, targets, n=num)
    return np.asarray(chosen, int)


class _Classifier:
    """A task as the classifier that small-text asks for; its texts are their features."""

    def __init__(self, state: TaskState) -> None:
        self._state = state

    def predict_proba(self, features: np.ndarray) -> np.ndarray:
        return self._state.probabilities(features)

    def embed(
        self, features: np.ndarray, *, return_proba: bool = False, pbar: Any = None
    ) -> np.ndarray | tuple[np.ndarray, np.ndarray]:
        return (features, self.predict_proba(features)) if return_proba else features


# The sources themselves are kept, so that no other one gets the identity of one that is gone.
_zero_shot: dict[int, tuple[EncodedSource, TaskState]] = {}


def _state(source: EncodedSource, rows: np.ndarray) -> TaskState:
    """The task of these rows by ridge regression with the hyperparameters that the encoder has learned."""
    if id(source) not in _zero_shot:
        _zero_shot[id(source)] = source, task_of(source, np.zeros(0, int))
    state = _zero_shot[id(source)][1]
    if not len(rows):
        return state
    solution, num_labels = state.solution, len(source.labels)
    assert solution.ridge is not None
    prior = untrained_mapping().hyperparameters.alpha * solution.prior
    scale = np.sqrt(np.repeat([1.0, *solution.views], source.names.shape[1]))
    H = np.concatenate([source.features[rows] * scale, np.ones((len(rows), 1))], axis=1)
    prior_scores = source.features[rows] @ prior[:-1] + prior[-1]
    right = np.eye(num_labels)[source.targets[rows]] - 1.0 / num_labels - prior_scores
    change = H.T @ np.linalg.solve(H @ H.T + solution.ridge * np.eye(len(rows)), right)
    weights = prior + np.append(scale, 1.0)[:, None] * change
    support = replace(
        state.support,
        texts=(None,) * len(rows),
        features=source.features[rows],
        targets=source.targets[rows].astype(np.int32),
        offsets=np.arange(len(rows) + 1),
    )
    solution = replace(solution, weights=weights.astype(np.float32), prior=prior)
    return replace(state, support=support, solution=solution)


def _accuracy(source: EncodedSource, state: TaskState, rows: np.ndarray) -> float:
    predicted = state.solution.scores(source.features[rows]).argmax(axis=-1)
    return float((predicted == source.targets[rows]).mean())


def _cell(accuracies: np.ndarray) -> str:
    if np.isnan(accuracies).any():
        return "–"
    return f"{100 * accuracies.mean():.1f} ± {100 * accuracies.std(ddof=1):.1f}"


if __name__ == "__main__":
    main()
