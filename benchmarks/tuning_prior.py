"""Prior of the tuning gate: what tuning gains on tasks of train and validation sources.

    python -m benchmarks.tuning --sources … --draws-file draws.jsonl
    python -m benchmarks.tuning_prior draws.jsonl

In: the draws of `benchmarks.tuning`, of sources that no benchmark tests on. Out: the constants `PRIORS` of
`metamapping.adaptation.tuning.tuning_gains`; and as Markdown how the gate does on each source with constants
fitted to the others, beside the closed form and the change whatever the gate says. A source counts once,
however many draws it has.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from benchmarks.markdown_tables import markdown
from benchmarks.tuning import TunedDraw
from metamapping.adaptation.tuning.tuning_gains import (
    WEIGHTS,
    Prior,
    best_share,
    is_worth_a_change,
    prior_terms,
)

COLUMNS = ["draws", "closed form", "half", "all", "as the gate decided", "tuned"]


def main() -> None:
    """Print the constants and the table of docs/experiments/tuning.md."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("draws", type=Path)
    options = parser.parse_args()
    draws = [TunedDraw(**json.loads(line)) for line in options.draws.read_text("utf-8").splitlines()]
    for weight, prior in zip(WEIGHTS, fit_priors(draws), strict=True):
        print(weight, prior)
    rows = {}
    for source in dict.fromkeys(each.source for each in draws):
        priors = fit_priors([each for each in draws if each.source != source])
        rows[source] = row([each for each in draws if each.source == source], priors)
    means = np.mean([[float(cell) for cell in each[1:5]] for each in rows.values()], axis=0)
    rows["mean"] = ["", *(f"{mean:.1f}" for mean in means), ""]
    print(markdown(rows, COLUMNS, heading="source"))


def fit_priors(draws: list[TunedDraw]) -> list[Prior]:
    """The prior of each share of the change.

    Args:
        draws: Of at least three sources.
    """
    counts = {each.source: 0 for each in draws}
    for each in draws:
        counts[each.source] += 1
    weights = np.array([1 / counts[each.source] for each in draws])
    weights /= weights.sum()
    design = np.array([(1.0, *prior_terms(each.skill, each.shots)) for each in draws])
    priors = []
    for share in range(len(WEIGHTS)):
        gains = np.array([each.query_gains[share] for each in draws])
        shown = np.array([each.gains[share] for each in draws])
        errors = np.array([each.errors[share] for each in draws])
        root = np.sqrt(weights)
        means, *_ = np.linalg.lstsq(design * root[:, None], gains * root, rcond=None)
        spread = np.sqrt(weights @ (gains - design @ means) ** 2)
        mismatch = np.sqrt(max(0.0, weights @ ((shown - gains) ** 2 - errors**2)))
        priors.append(Prior(*(round(float(each), 3) for each in (*means, spread, mismatch))))
    return priors


def row(draws: list[TunedDraw], priors: list[Prior]) -> list[str]:
    """One row of the table."""
    decided = []
    for each in draws:
        best, gain = best_share(each, priors)
        decided.append(1 + best if is_worth_a_change(gain) else 0)
    means = np.mean([each.accuracies for each in draws], axis=0)
    chosen = np.mean([each.accuracies[share] for each, share in zip(draws, decided, strict=True)])
    tuned = sum(share > 0 for share in decided)
    return [f"{len(draws)}", *(f"{mean:.1f}" for mean in means), f"{chosen:.1f}", f"{tuned} of {len(draws)}"]


if __name__ == "__main__":
    main()
