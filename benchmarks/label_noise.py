"""Planted label noise: this project's suspicious labels compared with cleanlab's, with the same features.

    pip install cleanlab
    METAMAPPING_DATA=path/to/data python -m benchmarks.label_noise [--cache FOLDER] [--draws 10]

In: five sources of `encoded_sources`, with the untrained encoder. Of 1,000 rows of each a share gets another
label, drawn at random. Both methods rank all rows. cleanlab gets the probabilities of scikit-learn's logistic
regression, cross-validated in five folds. Out: the share of planted rows among as many first rows as were
planted, which is precision and recall at once, and what each method reports by itself, as Markdown; and the
differences of both methods on the same draws. CPU seconds are those of the process, from the features on.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_predict

from benchmarks.encoded_sources import EncodedSource, read_sources, unfitted_task_of
from benchmarks.markdown_tables import markdown
from metamapping.adaptation.label_checks.label_noise_of_texts import judge_texts

SOURCES = ("banking77", "trec6", "stackoverflow", "emotion", "snips")
RATES = (0.05, 0.1, 0.2)
_NUM_ROWS, _FOLDS = 1_000, 5


def main() -> None:
    """Print the tables of "Planted label noise" in benchmarks/README.md."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--cache", default=".metamapping/benchmark-features", help="folder for features")
    parser.add_argument("--draws", type=int, default=10, help="tasks for each source and share of noise")
    parser.add_argument("--rates", type=float, nargs="+", default=RATES, help="shares of planted noise")
    options = parser.parse_args()
    sources = read_sources(Path(options.cache), SOURCES)
    rows: dict[str, Sequence[str]] = {}
    differences: list[np.ndarray] = []
    for rate in options.rates:
        for name, source in sources.items():
            drawn = np.asarray([measure(source, rate, seed) for seed in range(options.draws)])
            differences.append(100 * (drawn[:, 0] - drawn[:, 1]))
            figures = drawn.mean(axis=0)
            rows[f"{name}, {100 * rate:.0f} %"] = [
                *(f"{100 * share:.1f}" for share in figures[:2]),
                *(f"{100 * p:.0f} / {100 * r:.0f}" for p, r in (figures[2:4], figures[4:6])),
                f"{100 * figures[6]:.1f} %",
                *(f"{seconds:.1f} s" for seconds in figures[7:]),
            ]
            print(f"{name} {rate}: {rows[f'{name}, {100 * rate:.0f} %']}", flush=True)
    print(f"\n{options.draws} draws\n")
    print(markdown(rows, _COLUMNS, heading="source, planted"))
    print(f"\n{_paired(np.asarray(differences))}")


def _paired(differences: np.ndarray) -> str:
    """A sentence about the differences between both methods, ``(num_rows, num_draws)`` in points."""
    means = differences.mean(axis=1)
    ahead, behind = int((means > 0).sum()), int((means < 0).sum())
    spread = means.std(ddof=1) / np.sqrt(len(means))
    return (
        f"metamapping finds {means.mean():+.1f} points more (standard error over rows {spread:.1f}): "
        f"ahead in {ahead} rows, level in {len(means) - ahead - behind}, behind in {behind}, by at most "
        f"{max(0.0, -means.min()):.1f} points; in single draws ahead {int((differences > 0).sum())}, level "
        f"{int((differences == 0).sum())}, behind {int((differences < 0).sum())}"
    )


_COLUMNS = (
    "found: metamapping",
    "found: cleanlab",
    "precision / recall of what is reported: metamapping",
    "precision / recall of what is reported: cleanlab",
    "estimated noise",
    "metamapping",
    "cleanlab",
)


def plant(source: EncodedSource, rate: float, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows of a source, their label slots with planted noise, and which of them were replaced."""
    rng = np.random.default_rng([seed, int(100 * rate)])
    rows = rng.permutation(len(source.targets))[:_NUM_ROWS]
    targets, num_labels = source.targets[rows].copy(), len(source.labels)
    replaced = rng.permutation(len(rows))[: int(rate * len(rows))]
    targets[replaced] = (targets[replaced] + rng.integers(1, num_labels, size=len(replaced))) % num_labels
    return rows, targets, np.isin(np.arange(len(rows)), replaced)


def measure(source: EncodedSource, rate: float, seed: int) -> list[float]:
    """Found shares, precision and recall of both methods, the estimated noise, and seconds of both."""
    rows, targets, is_replaced = plant(source, rate, seed)
    count = int(is_replaced.sum())
    started = time.process_time()
    judged = judge_texts(unfitted_task_of(source, rows, targets))
    found = judged.first(num=None, min_probability=0.5)
    seconds = time.process_time() - started
    order = [each.index for each in judged.describe(count)]
    reported = [each.index for each in found]
    started = time.process_time()
    other_order, other_reported = _cleanlab(source.features[rows], targets)
    other_seconds = time.process_time() - started
    return [
        is_replaced[order].mean(),
        is_replaced[other_order[:count]].mean(),
        *_precision_and_recall(is_replaced, reported),
        *_precision_and_recall(is_replaced, other_reported),
        judged.noise,
        seconds,
        other_seconds,
    ]


def _cleanlab(features: np.ndarray, targets: np.ndarray) -> tuple[list[int], list[int]]:
    """All rows ranked by label quality (self-confidence), and those that are reported."""
    try:
        from cleanlab.filter import find_label_issues
        from cleanlab.rank import get_label_quality_scores
    except ModuleNotFoundError:
        raise SystemExit("cleanlab is not installed: pip install cleanlab") from None

    # Labels are numbered without gaps, as cleanlab expects; rare ones make scikit-learn warn.
    slots = np.unique(targets, return_inverse=True)[1]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        probabilities = cross_val_predict(
            LogisticRegression(max_iter=200), features, slots, cv=_FOLDS, method="predict_proba"
        )
    reported = find_label_issues(
        slots, probabilities, return_indices_ranked_by="self_confidence", n_jobs=1
    ).tolist()
    by_quality = np.argsort(get_label_quality_scores(slots, probabilities), kind="stable").tolist()
    return by_quality, reported


def _precision_and_recall(is_replaced: np.ndarray, reported: list[int]) -> tuple[float, float]:
    hits = is_replaced[reported].sum() if reported else 0
    return (hits / len(reported) if reported else 1.0), hits / is_replaced.sum()


if __name__ == "__main__":
    main()
