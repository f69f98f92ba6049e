"""What dense layers of 8 bits cost in accuracy: the backends `runtime` and `int8` on the same few-shot tasks.

    python -m benchmarks.precision PUBLISHED FILE.csv… [--rows 400] [--draws 6]

In: a published folder with a graph, and CSV files with the columns `text` and `label`, of training rows. Out:
a Markdown table. Each draw adapts to eight random examples of each label and predicts all other rows; both
backends get the same draws, and the difference is given with its standard error over them. Labels of fewer
than 16 of the rows are left out.
"""

from __future__ import annotations

import argparse
import csv
import time
from collections import Counter
from pathlib import Path
from typing import cast

import numpy as np

from metamapping import MetaMapper
from metamapping.publishing.runtime_model import Backend

SHOTS, MIN_ROWS = 8, 16
BACKENDS = ("runtime", "int8")


def main(published: Path, files: list[Path], *, rows: int, draws: int) -> None:
    """Print a row of the table for each file."""
    print("| file | rows | `runtime`, % | `int8`, % | difference | times as fast |\n|" + " --- |" * 6)
    for file in files:
        texts, labels = read_rows(file, rows)
        scores, seconds = {}, {}
        for name in BACKENDS:
            mapper = MetaMapper.from_pretrained(published, backend=cast(Backend, name))
            mapper.featurizer.texts(texts[:MIN_ROWS])
            start = time.process_time()
            mapper.featurizer.texts(texts)
            seconds[name] = time.process_time() - start
            scores[name] = 100 * accuracies(mapper, texts, labels, draws)
        difference = scores["int8"] - scores["runtime"]
        error = difference.std() / np.sqrt(draws)
        print(
            f"| {file.parent.name}/{file.name} | {len(texts)} | {scores['runtime'].mean():.1f} "
            f"| {scores['int8'].mean():.1f} | {difference.mean():+.2f} ± {error:.2f} "
            f"| {seconds['runtime'] / seconds['int8']:.2f} |",
            flush=True,
        )


def read_rows(file: Path, limit: int) -> tuple[list[str], np.ndarray]:
    """Texts and labels of random rows of a file."""
    with file.open(encoding="utf-8", newline="") as lines:
        every = list(csv.DictReader(lines))
    chosen = [every[i] for i in np.random.default_rng(0).permutation(len(every))[:limit]]
    counts = Counter(row["label"] for row in chosen)
    kept = [row for row in chosen if counts[row["label"]] >= MIN_ROWS]
    return [row["text"] for row in kept], np.array([row["label"] for row in kept])


def accuracies(mapper: MetaMapper, texts: list[str], labels: np.ndarray, draws: int) -> np.ndarray:
    """The accuracy of each draw, ``(draws,)``."""
    rng, found = np.random.default_rng(1), []
    for _ in range(draws):
        of_labels = [np.flatnonzero(labels == label) for label in np.unique(labels)]
        support = np.concatenate([rng.permutation(rows)[:SHOTS] for rows in of_labels])
        queries = np.setdiff1d(np.arange(len(texts)), support)
        mapping = mapper.adapt([texts[i] for i in support], labels[support].tolist())
        predicted = np.array(mapping.predict([texts[i] for i in queries]))
        found.append((predicted == labels[queries]).mean())
    return np.array(found)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks.precision", description=__doc__)
    parser.add_argument("published", type=Path, metavar="PUBLISHED")
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE.csv")
    parser.add_argument("--rows", type=int, default=400)
    parser.add_argument("--draws", type=int, default=6)
    given = parser.parse_args()
    main(given.published, given.files, rows=given.rows, draws=given.draws)
