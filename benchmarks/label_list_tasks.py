"""Tasks of several labels a text from train and validation sources, for choices that no test may decide.

In: the files under `METAMAPPING_DATA`. Out: pools of texts with lists of labels, and draws from them.
Emotions are rows of GoEmotions' train file with all labels or with some; topics are texts made of up to three
titles or snippets; entity types are sentences with the set of the types of their entities.

    pool = read_pool("topics-stackoverflow")
    support, queries = draw_task(pool, shots=8, number=0)
"""

from __future__ import annotations

import csv
import itertools
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.multi_label import draw
from metamapping.config.sources import readable_label

NUM_QUERIES = 500
_LEAST_OF_A_LABEL = 24
_NUM_JOINED, _MOST_JOINED = 3_000, 3
# Every third label of GoEmotions, in the order of the alphabet.
_EMOTIONS = {"emotions": (0, 1), "emotions-a": (0, 3), "emotions-b": (1, 3), "emotions-c": (2, 3)}
_TOPICS = {
    "topics-stackoverflow": "stackoverflow.csv",
    "topics-biomedical": "biomedical.csv",
    "topics-searchsnippets": "searchsnippets.csv",
}
_TYPES = {
    "types-genetics": ("bionlp13cg/train.tsv", 1),
    "types-anatomy": ("anem/train.conll", 3),
    "types-music": ("crossner_music/dev.conll", 1),
    "types-defence": ("re3d/train.conll", 1),
    "slots": ("snips_slots.conll", 1),
}
NAMES = (*_EMOTIONS, *_TOPICS, *_TYPES)


@dataclass(frozen=True)
class Pool:
    """The rows of one source.

    Attributes:
        texts: The texts.
        has: Which labels each has, bool ``(num_texts, num_labels)``.
        labels: The labels, as readable names.
    """

    texts: list[str]
    has: np.ndarray
    labels: list[str]

    def lists(self, rows: np.ndarray) -> list[list[str]]:
        """The labels of some texts."""
        return [[self.labels[slot] for slot in np.flatnonzero(self.has[row])] for row in rows]


def read_pool(name: str) -> Pool:
    """Read the rows of a source.

    Args:
        name: One of ``NAMES``.
    """
    (path,) = files_of(name)
    if name in _EMOTIONS:
        rows = _emotions(path, *_EMOTIONS[name])
    elif name in _TOPICS:
        rows = _joined_topics(path)
    else:
        rows = list(_typed_sentences(path, _TYPES[name][1]))
    lists = {text: labels for text, labels in rows if text}
    counted = [label for labels in lists.values() for label in labels]
    known = sorted(label for label in set(counted) if counted.count(label) >= _LEAST_OF_A_LABEL)
    has = np.array([[label in labels for label in known] for labels in lists.values()])
    return Pool(list(lists), has, [readable_label(label, {}) for label in known])


def files_of(name: str) -> list[Path]:
    """The files of a source.

    Args:
        name: One of ``NAMES``.
    """
    folder = Path(os.environ["METAMAPPING_DATA"])
    if name in _EMOTIONS:
        return [folder / "multi-label/goemotions.train.jsonl"]
    if name in _TOPICS:
        return [folder / "text-classification/topics" / _TOPICS[name]]
    return [folder / "ner" / _TYPES[name][0]]


def draw_task(pool: Pool, *, shots: int, number: int) -> tuple[np.ndarray, np.ndarray]:
    """The rows of a task: examples until each label has ``shots``, and queries as they come.

    Args:
        pool: From ``read_pool``.
        shots: Examples of each label.
        number: Number of the draw.
    """
    rng = np.random.default_rng(number)
    order = rng.permutation(len(pool.texts))
    queries, others = np.split(order, [min(NUM_QUERIES, len(order) // 2)])
    return others[draw(pool.has[others], shots, number)], queries


def _emotions(path: Path, first: int, step: int) -> list[tuple[str, set[str]]]:
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    kept = set(sorted({label for row in rows for label in row["labels"]})[first::step])
    pairs = [(row["text"], kept.intersection(row["labels"])) for row in rows]
    # Of the comments without any of these emotions every tenth.
    bare = [pair for pair in pairs if not pair[1]]
    return [pair for pair in pairs if pair[1]] + bare[::10]


def _joined_topics(path: Path) -> list[tuple[str, set[str]]]:
    rng = np.random.default_rng(0)
    with path.open(encoding="utf-8", newline="") as file:
        rows = [(row["text"], row["label"]) for row in csv.DictReader(file)]
    order = iter(rng.permutation(len(rows)).tolist())
    joined = []
    for _ in range(_NUM_JOINED):
        chosen = [rows[row] for row in itertools.islice(order, int(rng.integers(1, _MOST_JOINED + 1)))]
        joined.append((" . ".join(text for text, _ in chosen), {label for _, label in chosen}))
    return joined


def _typed_sentences(path: Path, column: int) -> Iterator[tuple[str, set[str]]]:
    words: list[str] = []
    types: set[str] = set()
    for line in [*path.read_text(encoding="utf-8").splitlines(), ""]:
        parts = line.split("\t") if "\t" in line else line.split()
        if len(parts) > column:
            words.append(parts[0])
            types.update([] if parts[column] == "O" else [parts[column][2:]])
        elif words:
            yield " ".join(words), types
            words, types = [], set()
