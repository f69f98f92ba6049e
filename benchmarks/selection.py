"""Selection of sources on real data: training on the sources related to a target, or on all of them.

    METAMAPPING_DATA=path/to/data python -m benchmarks.selection [--seeds 0] [--minutes 60]

In: eight train sources of ``benchmarks/real_run.yaml`` and two targets, reviews of one domain and offensive
tweets. Out, for each target: the sources that were selected, and the scores on the target and on other
held-out sources like and unlike it, with paired 95 % intervals, as Markdown.
"""

from __future__ import annotations

import argparse
import time

from benchmarks.loop import add_options, build_config, scores_markdown, with_sections
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
# Targets are validation sources, because test sources must not influence training.
TARGETS = ("reviews-outdoor-living", "tweets-offensive")
NUM_SOURCES = 4


def main() -> None:
    """Print the tables of "Related sources, or all" in benchmarks/README.md.

    For each target they compare a run on the four most related sources with a run on all eight, both with the
    same number of meta-steps. With ``--meta-steps 180`` both targets take twelve minutes on two busy cores.
    """
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    add_options(parser)
    options = parser.parse_args()
    ends_at = time.monotonic() + 60 * options.minutes
    for seed in options.seeds:
        for target in TARGETS:
            if time.monotonic() > ends_at:
                print(f"\nThe {options.minutes:g} minutes are over: {target}, seed {seed} is left out.")
                return
            print(f"\n## Seed {seed}, target {target}\n")
            print(target_markdown(options, seed, target), flush=True)


def target_markdown(options: argparse.Namespace, seed: int, target: str) -> str:
    """The sources selected for a target, and the scores of training on them compared with all sources."""
    # A single round, so that both runs take the same number of meta-steps.
    sections = {"convergence": {"max_rounds": 1}}
    everything = build_config("selection", TRAIN + HELD_OUT, options, seed=seed, **sections)
    selection = {"mode": "related", "targets": [target], "num_sources": NUM_SOURCES}
    related = run_flow(with_sections(everything, selection=selection))
    table = selection_markdown(select_stage(related))
    others = {"all": run_flow(everything)}
    return "\n\n".join(
        [table, *(scores_markdown(others, related, "related", role) for role in ("validation", "test"))]
    )


if __name__ == "__main__":
    main()
