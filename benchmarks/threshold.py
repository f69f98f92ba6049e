"""Rejecting texts of no label: the confidence compared with the plain softmax, on tasks of real intents.

    METAMAPPING_DATA=path/to/data python -m benchmarks.threshold PUBLISHED [--draws 10]

In: a published folder. A task consists of labels of BANKING77 or CLINC150, drawn at random; texts of the
source's other labels have no label in the task and are near, texts of other sources are far. Out: the
calibration error and the shares of kept and rejected texts, as Markdown.
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from typing import NamedTuple

import numpy as np

from metamapping import MetaMapper
from metamapping.adaptation.algebra.calibration import Calibration, calibrate
from metamapping.adaptation.algebra.nearness import nearness
from metamapping.adaptation.algebra.runtime_solution import solve
from metamapping.adaptation.algebra.support import Examples, empty_support
from metamapping.adaptation.featurizer import Featurizer
from metamapping.config.sources import readable_label
from metamapping.models.view_layout import NUM_VIEWS
from metamapping.runtime.mapping import LearnedMapping

SOURCES = ("banking77", "clinc150", "snips")
TASKS = [("banking77", 5, 4), ("banking77", 50, 4), ("clinc150", 20, 4), ("banking77", 20, 1)]
THRESHOLDS = (0.3, 0.5, 0.7, 0.9)
TEXTS_PER_LABEL, QUERIES = 30, 10


class Pool(NamedTuple):
    """The encoded texts and label names of one source."""

    features: np.ndarray  # (num_texts, text_dim)
    labels: np.ndarray  # (num_texts,)
    names: dict[str, np.ndarray]  # features of each label's name, (dim,)


def main() -> None:
    """Print the table of docs/experiments/threshold.md, to which benchmarks/README.md refers.

    It compares two ways to judge a prediction: the softmax with the learned inverse temperature τ, and the
    confidence, which is fitted to the task's own examples. The duration has not been recorded; the work is to
    encode about 7,000 short texts once and to fit ``--draws`` tasks for each of the four rows.
    """
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("published", help="folder of a published encoder")
    parser.add_argument("--draws", type=int, default=10, help="random tasks for each row")
    options = parser.parse_args()
    featurizer = MetaMapper.from_pretrained(options.published, backend="runtime").featurizer
    folder = Path(os.environ["METAMAPPING_DATA"]) / "text-classification"
    pools = {name: read_pool(featurizer, folder / f"{name}.jsonl") for name in SOURCES}
    columns = " | ".join(f"{threshold}: kept (correct), near, far" for threshold in THRESHOLDS)
    print(f"| labels × shots | | ECE | {columns} |")
    print("| --- " + "| --- " * (2 + len(THRESHOLDS)) + "|")
    for source, ways, shots in TASKS:
        rows = [measure_draw(featurizer, pools, source, ways, shots, seed) for seed in range(options.draws)]
        for method in rows[0]:
            error, *figures = np.mean([row[method] for row in rows], axis=0)
            cells = np.reshape(figures, (-1, 4))
            text = " | ".join("{:.2f} ({:.2f}) {:.2f} {:.2f}".format(*cell) for cell in cells)
            print(f"| {source} {ways} × {shots} | {method} | {error:.2f} | {text} |")


def read_pool(featurizer: Featurizer, path: Path) -> Pool:
    """Read and encode ``TEXTS_PER_LABEL`` texts of each label, the same ones each time."""
    by_label: dict[str, list[str]] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        by_label.setdefault(row["label"], []).append(row["text"])
    rng = np.random.default_rng(0)
    chosen = {label: rng.permutation(texts)[:TEXTS_PER_LABEL] for label, texts in sorted(by_label.items())}
    names = featurizer.names([readable_label(label, {}) for label in chosen])
    return Pool(
        featurizer.texts([str(text) for texts in chosen.values() for text in texts]),
        np.repeat(list(chosen), [len(texts) for texts in chosen.values()]),
        dict(zip(chosen, names, strict=True)),
    )


def measure_draw(
    featurizer: Featurizer, pools: dict[str, Pool], source: str, ways: int, shots: int, seed: int
) -> dict[str, list[float]]:
    """Draw one task and measure each method of judging its predictions.

    Args:
        featurizer: The published encoder.
        pools: The encoded texts of all sources, by name.
        source: The source whose labels form the task.
        ways: Number of labels.
        shots: Number of examples of each label.
        seed: Seed of the draw.

    Returns:
        By method: the calibration error, then four shares for each threshold: the task's texts that are kept,
        those of the kept that get the correct label, and the near and the far texts that are rejected.
    """
    rng = np.random.default_rng([seed, ways, shots])
    pool = pools[source]
    task = rng.permutation(list(pool.names))[:ways]
    rows = np.stack([rng.permutation(np.flatnonzero(pool.labels == label)) for label in task])
    own, new = rows[:, :shots].ravel(), rows[:, shots : shots + QUERIES].ravel()
    near = rng.permutation(np.flatnonzero(~np.isin(pool.labels, task)))[: len(new)]
    others = np.concatenate([each.features for name, each in pools.items() if name != source])
    texts = [pool.features[new], pool.features[near], rng.permutation(others)[: len(new)]]

    support = empty_support(featurizer.dim, NUM_VIEWS).plus(
        Examples([""] * len(own), [""] * len(own), None),
        pool.features[own],
        np.arange(len(own) + 1),
        np.repeat(np.arange(ways), shots),
    )
    mapping = featurizer.model.mapping
    assert isinstance(mapping, LearnedMapping)
    names = np.stack([pool.names[label] for label in task])
    solution = solve(mapping, names, np.zeros(ways, bool), support)
    learned = float(mapping.inverse_temperature)
    calibrations = {
        "softmax, learned τ": Calibration(learned),
        "confidence": calibrate(solution, support, learned_scale=learned),
    }
    is_correct = solution.scores(texts[0]).argmax(axis=-1) == np.repeat(np.arange(ways), QUERIES)
    figures = {}
    for method, calibration in calibrations.items():
        confidences = []
        for x in texts:
            scores = solution.scores(x)
            member = calibration.membership(nearness(x, scores, support))
            confidences.append(calibration.probabilities(scores).max(axis=-1) * member)
        # A near text has no label in the task, so whatever is predicted for it is wrong.
        truth = np.concatenate([is_correct, np.zeros(len(near), bool)])
        figures[method] = [calibration_error(np.concatenate(confidences[:2]), truth)]
        for threshold in THRESHOLDS:
            kept = confidences[0] >= threshold
            correct = is_correct[kept].mean() if kept.any() else 1.0
            rejected = [(each < threshold).mean() for each in confidences[1:]]
            figures[method] += [kept.mean(), correct, *rejected]
    return figures


def calibration_error(confidences: np.ndarray, is_correct: np.ndarray) -> float:
    """Expected calibration error over ten bins of equal width (Guo et al., ICML 2017)."""
    bins = np.minimum((confidences * 10).astype(int), 9)
    gaps = [
        abs(confidences[bins == i].mean() - is_correct[bins == i].mean()) * (bins == i).mean()
        for i in np.unique(bins)
    ]
    return float(sum(gaps))


if __name__ == "__main__":
    main()
