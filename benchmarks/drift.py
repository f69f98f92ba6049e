"""Drift: false alarms on unchanged streams, and planted shifts that are found.

    METAMAPPING_DATA=path/to/data python -m benchmarks.drift [--cache FOLDER] [--draws 100]

In: sources of `encoded_sources`, with the untrained encoder. Each draw makes a task of a few examples of each
label, and a stream of other texts of the same source: unchanged; with a share of texts of another source; or
with texts of all labels, of half of which the task has no examples. Every stream is compared with the task's
own examples, and with an earlier stream of the same source. Out: the share of draws with an alarm.
"""

from __future__ import annotations

import argparse
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks.ablations import markdown
from benchmarks.encoded_sources import EncodedSource, read_sources, task_of
from metamapping.adaptation.drift import Signals, measure_drift, support_signals, text_signals

# Each source with the one whose texts are mixed into its stream.
SOURCES = {"snips": "trec6", "trec6": "snips", "stackoverflow": "trec6", "emotion": "stackoverflow"}
SHOTS, NUM_TEXTS = (8, 16), 200
SHIFTS = ("unchanged", "10 % of another source", "30 % of another source", "new labels")


def main() -> None:
    """Print the table of "Has the world moved?" in benchmarks/README.md."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--cache", default=".metamapping/benchmark-features", help="folder for features")
    parser.add_argument("--draws", type=int, default=100, help="streams of each kind")
    parser.add_argument("--rate", type=float, default=0.01, help="false alarm rate that is asked for")
    options = parser.parse_args()
    sources = read_sources(Path(options.cache), list(SOURCES))
    rows = {}
    for name, other in SOURCES.items():
        for shots in SHOTS:
            alarms = np.mean(
                [
                    list(_alarms(sources[name], sources[other], shots, _rng(name, shots, draw), options.rate))
                    for draw in range(options.draws)
                ],
                axis=0,
            )
            rows[f"{name}, {shots}"] = [f"{100 * a:.0f} / {100 * b:.0f}" for a, b in alarms]
            print(name, shots, rows[f"{name}, {shots}"], flush=True)
    print(f"\n{options.draws} draws, false alarm rate {options.rate}\n")
    print(markdown(rows, SHIFTS, heading="task, examples a label"))


def _alarms(
    source: EncodedSource, other: EncodedSource, shots: int, rng: np.random.Generator, rate: float
) -> Iterator[tuple[bool, bool]]:
    """For each kind of stream whether there is an alarm: against the examples, and an earlier stream."""
    order = rng.permutation(len(source.targets))
    ranks = np.empty(len(order), int)
    for label in range(len(source.labels)):
        mine = order[source.targets[order] == label]
        ranks[mine] = np.arange(len(mine))
    rest = order[ranks[order] >= shots]
    known = np.arange(len(source.labels)) < max(2, len(source.labels) // 2)
    kept = order[ranks[order] < shots]
    state = task_of(source, kept)
    reference, earlier = support_signals(state), text_signals(state, source.features[rest[:NUM_TEXTS]])
    later = source.features[rest[NUM_TEXTS : 2 * NUM_TEXTS]]
    for share in (0.0, 0.1, 0.3):
        stream = later.copy()
        count = int(share * len(stream))
        foreign = rng.permutation(len(other.features))[:count]
        stream[:count] = other.features[foreign]
        yield _both(reference, earlier, text_signals(state, stream), rate)

    # The task knows half of the labels; the stream then brings the others, too.
    half = task_of(source, kept[known[source.targets[kept]]])
    before = rest[known[source.targets[rest]]][:NUM_TEXTS]
    after = rest[~np.isin(rest, before)][:NUM_TEXTS]
    yield _both(
        support_signals(half),
        text_signals(half, source.features[before]),
        text_signals(half, source.features[after]),
        rate,
    )


def _both(reference: Signals, earlier: Signals, stream: Signals, rate: float) -> tuple[bool, bool]:
    return (
        measure_drift(reference, stream, false_alarm_rate=rate).has_drifted,
        measure_drift(earlier, stream, false_alarm_rate=rate).has_drifted,
    )


def _rng(name: str, shots: int, draw: int) -> np.random.Generator:
    return np.random.default_rng([zlib.crc32(name.encode()), shots, draw])


if __name__ == "__main__":
    main()
