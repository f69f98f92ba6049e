"""When is no label near enough? Confidence beside the plain softmax, on tasks cut out of real intents.

    METAMAPPING_DATA=path/to/data python -m benchmarks.threshold PUBLISHED [--draws 10]

Some labels of BANKING77 and CLINC150, drawn at random, are the task; the others' texts are of no label
and near, those of other sources far. Prints the table of ``docs/decisions/threshold.md`` as Markdown.
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from typing import NamedTuple

import numpy as np

from metamapping import MetaMapper
from metamapping.adaptation.calibration import Calibration, calibrate, nearness
from metamapping.adaptation.closed_form import solve
from metamapping.adaptation.featurizer import Featurizer
from metamapping.adaptation.support import Examples, empty_support
from metamapping.config.sources import readable_label
from metamapping.models.encoder import NUM_VIEWS

SOURCES = ("banking77", "clinc150", "snips")
TASKS = [("banking77", 5, 4), ("banking77", 50, 4), ("clinc150", 20, 4), ("banking77", 20, 1)]
THRESHOLDS = (0.3, 0.5, 0.7, 0.9)
TEXTS_PER_LABEL, QUERIES = 30, 10


class Pool(NamedTuple):
    """The texts of a source: features ``(num_texts, text_dim)``, labels, its names' features."""

    features: np.ndarray
    labels: np.ndarray
    names: dict[str, np.ndarray]


def main() -> None:
    """Encode each source once, then play the draws of every task."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("published", help="folder of a published encoder")
    parser.add_argument("--draws", type=int, default=10, help="random tasks a row")
    options = parser.parse_args()
    featurizer = MetaMapper.from_pretrained(options.published).featurizer
    folder = Path(os.environ["METAMAPPING_DATA"]) / "text-classification"
    pools = {name: read_pool(featurizer, folder / f"{name}.jsonl") for name in SOURCES}
    columns = " | ".join(f"{threshold}: kept (right) near far" for threshold in THRESHOLDS)
    print(f"| labels × shots | | ECE | {columns} |")
    print("| --- " + "| --- " * (2 + len(THRESHOLDS)) + "|")
    for source, ways, shots in TASKS:
        rows = [play(featurizer, pools, source, ways, shots, seed) for seed in range(options.draws)]
        for how in rows[0]:
            error, *figures = np.mean([row[how] for row in rows], axis=0)
            cells = np.reshape(figures, (-1, 4))
            shown = " | ".join("{:.2f} ({:.2f}) {:.2f} {:.2f}".format(*cell) for cell in cells)
            print(f"| {source} {ways} × {shots} | {how} | {error:.2f} | {shown} |")


def read_pool(featurizer: Featurizer, path: Path) -> Pool:
    """The same few texts of each label, encoded."""
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


def play(
    featurizer: Featurizer, pools: dict[str, Pool], source: str, ways: int, shots: int, seed: int
) -> dict[str, list[float]]:
    """The figures of one draw, by way of judging.

    The calibration error, then for each threshold the share of the task's texts that are kept, how
    many of those rightly, and the shares of near and of far texts that are rejected.
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
    names = np.stack([pool.names[label] for label in task])
    solution = solve(mapping, names, np.zeros(ways, bool), support)
    learned = float(mapping.scale)
    ways_of_judging = {
        "softmax, learned τ": Calibration(learned),
        "confidence": calibrate(solution, support, learned_scale=learned),
    }
    is_right = solution.scores(texts[0]).argmax(axis=-1) == np.repeat(np.arange(ways), QUERIES)
    figures = {}
    for how, calibration in ways_of_judging.items():
        sure = []
        for x in texts:
            scores = solution.scores(x)
            member = calibration.membership(nearness(x, scores, support))
            sure.append(calibration.probabilities(scores).max(axis=-1) * member)
        truth = np.concatenate([is_right, np.zeros(len(near), bool)])
        figures[how] = [calibration_error(np.concatenate(sure[:2]), truth)]
        for threshold in THRESHOLDS:
            kept = sure[0] >= threshold
            right = is_right[kept].mean() if kept.any() else 1.0
            figures[how] += [kept.mean(), right, *((each < threshold).mean() for each in sure[1:])]
    return figures


def calibration_error(sure: np.ndarray, is_right: np.ndarray) -> float:
    """Expected calibration error over ten bins of one width."""
    bins = np.minimum((sure * 10).astype(int), 9)
    gaps = [
        abs(sure[bins == i].mean() - is_right[bins == i].mean()) * (bins == i).mean() for i in np.unique(bins)
    ]
    return float(sum(gaps))


if __name__ == "__main__":
    main()
