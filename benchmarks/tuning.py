"""Tuning: what it gains, and how often its gate is right.

    METAMAPPING_DATA=path/to/data python -m benchmarks.tuning [ENCODER] --sources trec6 snips [--draws 3]

In: sources of `benchmarks/general.yaml`. Out, for each source: the accuracy in closed form, tuned whatever
the gate says, and as it decided; how often it tuned, and how often its decision was right in hindsight, by
the accuracy on the queries; seconds of CPU time, as Markdown. A draw that the gate would leave as it is takes
a third longer here than it would for a user.
"""

from __future__ import annotations

import argparse
import os
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from benchmarks.draws import TextRow, draw, read_pools
from benchmarks.fingerprints import data_fingerprint
from benchmarks.markdown_tables import markdown
from benchmarks.real_run import packaged_encoder
from metamapping import Mapping, MetaMapper
from metamapping.adaptation import tuning
from metamapping.adaptation.tuning_gate import Choice, Evidence, choose
from metamapping.config.loading import read_config
from metamapping.config.sources import Source
from metamapping.publishing.pretrained_model import UntrainedMappingWarning

GENERAL = Path(__file__).with_name("general.yaml")
COLUMNS = ["closed form", "always tuned", "as the gate decided", "tuned", "right", "CPU seconds"]


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
    before, forced, decisions, clock = [], [], [], []
    for number in range(num_draws):
        support, queries = draw(pools, number, shots=shots)
        arguments: dict[str, Any] = columns(support) | {"label_names": pools.names}
        labels = [row.label for row in support]
        closed = mapper.adapt(labels=labels, **arguments)
        started = time.process_time()
        with always_tuned() as is_tuned:
            tuned = mapper.adapt(labels=labels, tune=True, **arguments)
        clock.append(time.process_time() - started)
        before.append(accuracy(closed, queries[:num_queries]))
        forced.append(accuracy(tuned, queries[:num_queries]))
        decisions += is_tuned or [False]  # too few examples to decide by
        print(
            f"{source.name} {number}: {before[-1]:.1f} -> {forced[-1]:.1f}; "
            f"gate: {'tune' if decisions[-1] else 'leave'}; {tuned.tuning}; {clock[-1]:.0f} CPU s",
            flush=True,
        )
    decided = [f if tune else b for b, f, tune in zip(before, forced, decisions, strict=True)]
    right = [f >= b if tune else f <= b for b, f, tune in zip(before, forced, decisions, strict=True)]
    return [
        f"{np.mean(before):.1f}",
        f"{np.mean(forced):.1f}",
        f"{np.mean(decided):.1f}",
        f"{sum(decisions)} of {num_draws}",
        f"{sum(right)} of {num_draws}",
        f"{np.mean(clock):.0f}",
    ]


@contextmanager
def always_tuned() -> Iterator[list[bool]]:
    """Within the block tasks are tuned by the best share of the change; yields what the gate would decide."""
    decisions: list[bool] = []

    def best(evidence: Evidence) -> Choice:
        choice = choose(evidence)
        decisions.append(choice.weight > 0)
        return replace(choice, weight=choice.best_weight)

    with mock.patch.object(tuning, "choose", best):
        yield decisions


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
