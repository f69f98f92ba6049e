"""Cross-validation against test rows: is the estimate from a task's own examples right, and its interval?

    METAMAPPING_DATA=path/to/data python -m benchmarks.left_out [--cache FOLDER] [--draws 5]

In: the sources of `encoded_sources`, with the untrained encoder. A task's examples are rows drawn at random;
the truth is measured on all other rows of the source. Out: by number of examples the difference, its spread
and how often the interval contains the truth; and one row for each source, as Markdown.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from sklearn.metrics import f1_score

from benchmarks.encoded_sources import EncodedSource, read_sources, task_of, with_labels_of
from benchmarks.markdown_tables import markdown
from metamapping.adaptation.cross_validation import cross_validate

# Examples for each label on average; the shares of the labels are those of the source.
SHOTS = (4, 16)
_MIN_TEST_ROWS = 300


class Drawn(NamedTuple):
    """One task: its estimates, the truth, and the time of the estimate as a multiple of that of adapting."""

    accuracy: float
    low: float
    high: float
    macro_f1: float
    true_accuracy: float
    true_macro_f1: float
    relative_time: float


def main() -> None:
    """Print the tables of "Cross-validation without test rows" in benchmarks/README.md."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--cache", default=".metamapping/benchmark-features", help="folder for features")
    parser.add_argument("--draws", type=int, default=5, help="tasks for each source and number of examples")
    options = parser.parse_args()
    drawn: dict[tuple[str, int], list[Drawn]] = {}
    for name, source in read_sources(Path(options.cache)).items():
        for shots in SHOTS:
            if len(source.targets) - shots * len(source.labels) >= _MIN_TEST_ROWS:
                drawn[name, shots] = [draw(source, shots, seed) for seed in range(options.draws)]
        print(
            f"{name} {[_means(drawn[name, shots]) for shots in SHOTS if (name, shots) in drawn]}", flush=True
        )
    times = [each.relative_time for draws in drawn.values() for each in draws]
    print(f"\n{options.draws} draws; an estimate takes {np.median(times):.2f} of the time of adapting\n")
    print(markdown(_by_shots(drawn), _COLUMNS, heading="examples of each label"))
    print()
    print(markdown(_by_source(drawn), [f"{shots} examples" for shots in SHOTS], heading="source"))


def draw(source: EncodedSource, shots: int, seed: int) -> Drawn:
    """Draw a task and compare the estimate with the rows that are left."""
    rng, count = np.random.default_rng([seed, shots]), shots * len(source.labels)
    order = rng.permutation(len(source.targets))
    while len(np.unique(source.targets[order[:count]])) < 2:  # no task
        order = rng.permutation(len(source.targets))
    # A label that no example has cannot be estimated: its rows are left out.
    known = with_labels_of(source, order[:count])
    kept = np.flatnonzero(np.isin(source.targets, source.targets[order[:count]]))
    position = np.full(len(source.targets), -1)
    position[kept] = np.arange(len(kept))
    chosen, test = position[order[:count]], position[order[count:]]
    test = test[test >= 0]
    started = time.process_time()
    state = task_of(known, chosen)
    adapted = time.process_time()
    scores = cross_validate(state).scores.scores
    relative_time = (time.process_time() - adapted) / (adapted - started)
    predicted, true = state.solution.scores(known.features[test]).argmax(axis=-1), known.targets[test]
    accuracy = scores["accuracy"]
    return Drawn(
        accuracy.mean,
        accuracy.low,
        accuracy.high,
        scores["macro-F1"].mean,
        float((predicted == true).mean()),
        float(f1_score(true, predicted, average="macro")),
        relative_time,
    )


_COLUMNS = (
    "sources",
    "accuracy: estimate − truth",
    "standard deviation of a task's difference",
    "macro-F1: estimate − truth",
    "interval contains the truth",
    "correlation",
)


def _by_shots(drawn: dict[tuple[str, int], list[Drawn]]) -> dict[str, Sequence[str]]:
    rows: dict[str, Sequence[str]] = {}
    for shots in SHOTS:
        cells = [np.asarray(draws) for (_, count), draws in drawn.items() if count == shots]
        accuracy, low, high, macro_f1, truth, true_f1, _ = np.concatenate(cells).T
        by_source = [(each[:, 0] - each[:, 4]).mean() for each in cells]
        spread = (accuracy - truth).std(ddof=1)
        rows[str(shots)] = [
            str(len(cells)),
            f"{100 * np.mean(by_source):+.1f} ± {100 * _half_interval(by_source):.1f}",
            f"{100 * spread:.1f}",
            f"{100 * np.mean(macro_f1 - true_f1):+.1f}",
            f"{100 * np.mean((low <= truth) & (truth <= high)):.0f} %",
            f"{np.corrcoef(accuracy, truth)[0, 1]:.3f}",
        ]
    return rows


def _means(draws: list[Drawn]) -> str:
    figures = np.asarray(draws).mean(axis=0)
    return f"{100 * figures[0]:.1f} / {100 * figures[4]:.1f}"


def _half_interval(values: list[float]) -> float:
    return float(1.96 * np.std(values, ddof=1) / len(values) ** 0.5)


def _by_source(drawn: dict[tuple[str, int], list[Drawn]]) -> dict[str, Sequence[str]]:
    return {
        name: [_means(drawn[name, shots]) if (name, shots) in drawn else "–" for shots in SHOTS]
        for name in dict.fromkeys(name for name, _ in drawn)
    }


if __name__ == "__main__":
    main()
