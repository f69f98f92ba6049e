"""Tuning: what it gains, and how often its gate is right.

    METAMAPPING_DATA=path/to/data python -m benchmarks.tuning [ENCODER] --sources trec6 snips [--draws 3]

In: sources of `benchmarks/general.yaml`. Out, for each source: the accuracy in closed form, and of the
task as the gate decided; how often it tuned, and how often that was right in hindsight, by the accuracy on
the queries; seconds of wall-clock and of CPU time, as Markdown.
"""

from __future__ import annotations

import argparse
import os
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.ablations import markdown
from benchmarks.draws import TextRow, draw, read_pools
from benchmarks.fingerprints import data_fingerprint
from benchmarks.real_run import packaged_encoder
from metamapping import Mapping, MetaMapper
from metamapping.config.loading import read_config
from metamapping.config.sources import Source
from metamapping.publishing.pretrained_model import UntrainedMappingWarning

GENERAL = Path(__file__).with_name("general.yaml")
COLUMNS = [
    "closed form",
    "as the gate decided",
    "tuned",
    "gain where tuned",
    "right",
    "seconds",
    "CPU seconds",
]


def main() -> None:
    """Print the table of "Tuning" in benchmarks/README.md."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("encoder", nargs="?", help="published or pretrained encoder; default: MiniLM")
    parser.add_argument("--sources", nargs="+", required=True)
    parser.add_argument("--shots", type=int, default=8)
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--queries", type=int, default=500)
    options = parser.parse_args()
    os.environ.setdefault("METAMAPPING_ENCODER", packaged_encoder())
    warnings.simplefilter("ignore", UntrainedMappingWarning)
    mapper = MetaMapper.from_pretrained(options.encoder or packaged_encoder(), progress=False)
    sources = {source.name: source for source in read_config(GENERAL).sources}
    chosen = [sources[name] for name in options.sources]
    rows = {
        source.name: measure(mapper, source, options.shots, options.draws, options.queries)
        for source in chosen
    }
    print(f"\n{options.draws} draws of {options.shots} examples of each label; data", end=" ")
    print(data_fingerprint(file for source in chosen for file in source.files or []), end="\n\n")
    print(markdown(rows, COLUMNS, heading="source"))


def measure(mapper: MetaMapper, source: Source, shots: int, num_draws: int, num_queries: int) -> list[str]:
    """One row of the table.

    Args:
        mapper: The encoder.
        source: A source of texts or pairs.
        shots: Examples of each label.
        num_draws: Number of draws.
        num_queries: The largest number of queries of a draw.
    """
    pools = read_pools(source, max_shots=shots, num_draws=num_draws)
    before, after, gained, clock = [], [], [], []
    for number in range(num_draws):
        support, queries = draw(pools, number, shots=shots)
        arguments: dict[str, Any] = columns(support) | {"label_names": pools.names}
        labels = [row.label for row in support]
        closed = mapper.adapt(labels=labels, **arguments)
        started, started_cpu = time.perf_counter(), time.process_time()
        tuned = mapper.adapt(labels=labels, tune=True, **arguments)
        clock.append((time.perf_counter() - started, time.process_time() - started_cpu))
        before.append(accuracy(closed, queries[:num_queries]))
        after.append(accuracy(tuned, queries[:num_queries]))
        assert tuned.tuning is not None
        if tuned.tuning.is_tuned:
            gained.append(after[-1] - before[-1])
        print(f"{source.name} {number}: {before[-1]:.1f} -> {after[-1]:.1f}; {tuned.tuning}", flush=True)
    seconds, cpu_seconds = np.mean(clock, axis=0)
    return [
        f"{np.mean(before):.1f}",
        f"{np.mean(after):.1f}",
        f"{len(gained)} of {num_draws}",
        f"{np.mean(gained):+.1f}" if gained else "–",
        f"{sum(gain >= 0 for gain in gained)} of {len(gained)}",
        f"{seconds:.0f}",
        f"{cpu_seconds:.0f}",
    ]


def accuracy(mapping: Mapping, rows: list[TextRow]) -> float:
    """The share of rows that are predicted rightly, in percent."""
    predicted = mapping.predict(**columns(rows))
    return 100 * float(np.mean([guess == row.label for guess, row in zip(predicted, rows, strict=True)]))


def columns(rows: list[TextRow]) -> dict[str, Any]:
    """The texts of rows, and their second texts if they have some."""
    pairs = [row.text_pair for row in rows if row.text_pair is not None]
    return {"texts": [row.text for row in rows], "text_pairs": pairs or None}


if __name__ == "__main__":
    main()
