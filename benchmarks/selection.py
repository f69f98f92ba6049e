"""Selecting sources on real data: training on those related to a target, or on all.

    METAMAPPING_DATA=path/to/data python -m benchmarks.selection [--seeds 0] [--minutes 60]

Eight train sources of ``benchmarks/real_run.yaml`` and two targets, one after the other: reviews of
a domain, and offensive tweets. For each target a run on all sources and one on the four most
related, of the same number of meta-steps. Printed, as Markdown, are the choice and the scores on
the target and on other sources like it and unlike it, with paired 95 % intervals.
"""

from __future__ import annotations

import argparse
import time

from benchmarks.loop import add_options, changed, configured, scores
from benchmarks.real_run import run_flow
from metamapping.runs.select_sources import select_stage
from metamapping.training.source_selection import selection_markdown

TRAIN = (
    *("reviews-baby", "reviews-software", "reviews-magazines", "banking77", "taxinli"),
    *("tweets-irony", "tweets-stance-abortion", "tweets-stance-feminist"),
)
HELD_OUT = (
    *("reviews-outdoor-living", "reviews-jewelry-watches", "rte"),
    *("tweets-offensive", "snips", "tweets-emotion", "reviews-books", "trec6", "tweets-hate"),
)
# Validation sources: nothing is chosen on test sources.
TARGETS = ("reviews-outdoor-living", "tweets-offensive")
NUM_SOURCES = 4


def main() -> None:
    """Run the benchmark and print its tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    add_options(parser)
    options = parser.parse_args()
    ends_at = time.monotonic() + 60 * options.minutes
    for seed in options.seeds:
        for target in TARGETS:
            if time.monotonic() > ends_at:
                print(f"\nThe {options.minutes:g} minutes are over: {target}, seed {seed} is left out.")
                return
            print(f"\n## Seed {seed}, target {target}\n\n{compared(options, seed, target)}", flush=True)


def compared(options: argparse.Namespace, seed: int, target: str) -> str:
    """What was selected for a target, and what training on that brought against training on all."""
    # One round, so that both runs take the same number of steps.
    sections = {"convergence": {"max_rounds": 1}}
    everything = configured("selection", TRAIN + HELD_OUT, options, seed=seed, **sections)
    selection = {"mode": "related", "targets": [target], "num_sources": NUM_SOURCES}
    related = run_flow(changed(everything, selection=selection))
    table = selection_markdown(select_stage(related))
    others = {"all sources": run_flow(everything)}
    return "\n\n".join(
        [table, *(scores(others, related, "related", role) for role in ("validation", "test"))]
    )


if __name__ == "__main__":
    main()
