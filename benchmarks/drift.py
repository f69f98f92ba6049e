"""Drift: false alarms on unchanged streams, and planted shifts that are found.

    METAMAPPING_DATA=path/to/data python -m benchmarks.label_noise      # encodes the sources, once
    python -m benchmarks.drift [--cache FOLDER] [--draws 20]

In: the features of four sources as `encoded_sources` keeps them, of the untrained encoder. Each draw makes a
task of 16 examples of each label, by ridge regression without names, and a stream of 200 other texts of the
same source: unchanged; with a share of texts of another source; or with texts of all labels, of half of which
the task has no examples. Every stream is compared with the task's own examples, and with 200 earlier texts.
Out: the share of draws with an alarm at a false alarm rate of 1 %, as Markdown.
"""

from __future__ import annotations

import argparse
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from metamapping.adaptation.algebra.calibration import calibrate
from metamapping.adaptation.algebra.solution import Solution
from metamapping.adaptation.algebra.support import Examples, empty_support
from metamapping.adaptation.drift import Signals, measure_drift, support_signals, text_signals
from metamapping.adaptation.state import TaskState

# Each source with the one whose texts are mixed into its stream.
SOURCES = {"snips": "trec6", "trec6": "snips", "stackoverflow": "trec6", "emotion": "stackoverflow"}
SHOTS, NUM_TEXTS, RIDGE, SCALE = 16, 200, 1.0, 10.0
SHIFTS = ("unchanged", "10 % of another source", "30 % of another source", "new labels")


class Source(NamedTuple):
    """The first view of a source's features, ``(num_rows, dim)``, and its label slots ``(num_rows,)``."""

    features: np.ndarray
    targets: np.ndarray


def main() -> None:
    """Print the table of "Has the world moved?" in benchmarks/README.md."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--cache", default=".metamapping/benchmark-features", help="folder with features")
    parser.add_argument("--draws", type=int, default=20, help="streams of each kind")
    options = parser.parse_args()
    print("| task |", " | ".join(SHIFTS), "|\n|", " --- |" * (len(SHIFTS) + 1))
    for name, other in SOURCES.items():
        source, foreign = _read(options.cache, name), _read(options.cache, other)
        alarms = [list(_alarms(source, foreign, _rng(name, draw))) for draw in range(options.draws)]
        shares = 100 * np.mean(alarms, axis=0)
        cells = [f"{examples:.0f} / {earlier:.0f}" for examples, earlier in shares]
        print(f"| {name} |", " | ".join(cells), "|", flush=True)


def _read(cache: str, name: str) -> Source:
    path = Path(cache) / f"{name}.npz"
    if not path.is_file():
        raise SystemExit(f"there is no {path}: run python -m benchmarks.label_noise first")
    with np.load(path) as arrays:
        dim = arrays["names"].shape[1]
        return Source(np.ascontiguousarray(arrays["features"][:, :dim]), arrays["targets"])


def _alarms(source: Source, foreign: Source, rng: np.random.Generator) -> Iterator[tuple[bool, bool]]:
    """For each kind of stream whether there is an alarm: against the examples, and an earlier stream."""
    order = rng.permutation(len(source.targets))
    ranks = np.empty(len(order), int)
    for label in np.unique(source.targets):
        mine = order[source.targets[order] == label]
        ranks[mine] = np.arange(len(mine))
    kept, rest = order[ranks[order] < SHOTS], order[ranks[order] >= SHOTS]
    state = _task(source, kept)
    examples, earlier = support_signals(state), text_signals(state, source.features[rest[:NUM_TEXTS]])
    later = source.features[rest[NUM_TEXTS : 2 * NUM_TEXTS]]
    for share in (0.0, 0.1, 0.3):
        stream, count = later.copy(), int(share * len(later))
        stream[:count] = foreign.features[rng.permutation(len(foreign.features))[:count]]
        yield _both(examples, earlier, text_signals(state, stream))

    is_known = source.targets < max(2, (source.targets.max() + 1) // 2)
    half = _task(source, kept[is_known[kept]])
    before = rest[is_known[rest]][:NUM_TEXTS]
    after = rest[~np.isin(rest, before)][:NUM_TEXTS]
    earlier = text_signals(half, source.features[before])
    yield _both(support_signals(half), earlier, text_signals(half, source.features[after]))


def _task(source: Source, rows: np.ndarray) -> TaskState:
    """The task of these rows, by ridge regression towards one-hot labels."""
    features, targets = source.features[rows], source.targets[rows]
    num_labels = int(targets.max()) + 1
    H = np.concatenate([features, np.ones((len(rows), 1))], axis=1)
    Y = (targets[:, None] == np.arange(num_labels)) - 1.0 / num_labels
    weights = H.T @ np.linalg.solve(H @ H.T + RIDGE * np.eye(len(H)), Y)
    labels = tuple(map(str, range(num_labels)))
    support = empty_support(features.shape[1]).plus(
        Examples([""] * len(rows), targets.tolist(), None), features, np.arange(len(rows) + 1), targets
    )
    solution = Solution(weights, np.zeros_like(weights), RIDGE)
    calibration = calibrate(solution, support, learned_scale=SCALE)
    names = np.zeros((num_labels, features.shape[1]), np.float32)
    return TaskState("text-classification", labels, labels, names, support, solution, calibration)


def _both(examples: Signals, earlier: Signals, stream: Signals) -> tuple[bool, bool]:
    return measure_drift(examples, stream).has_drifted, measure_drift(earlier, stream).has_drifted


def _rng(name: str, draw: int) -> np.random.Generator:
    return np.random.default_rng([zlib.crc32(name.encode()), draw])


if __name__ == "__main__":
    main()
