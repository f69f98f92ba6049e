"""Draws of few-shot tasks from sources as users have them: examples of each label, and queries.

In: a source of a configuration. Out: its pools, and from them any number of draws. Draws are nested, so that
the examples of four shots are among those of eight, and the queries of different draws are disjoint, so that
draws are independent in both.

    pools = read_pools(source, max_shots=16, num_draws=10)
    support, queries = draw(pools, 0, shots=4)
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from metamapping.config.labels import NotOneLabelError, label_text
from metamapping.config.schema import RunConfig
from metamapping.config.sources import Source, readable_label
from metamapping.corpus.records import read_rows

# Labels of a task; examples of each label and of all labels that draws choose from; queries of all draws.
MOST_LABELS, MOST_PER_LABEL, LEAST_PER_LABEL, MOST_EXAMPLES, MOST_QUERIES = 30, 64, 32, 960, 1_000


class TextRow(NamedTuple):
    """One labelled text, or pair of texts."""

    text: str
    text_pair: str | None
    label: str


@dataclass(frozen=True)
class Pools:
    """What the draws of one source choose from.

    Attributes:
        names: The readable name of each label.
        support: The rows of each label that examples are drawn from.
        queries: The queries of each draw.
    """

    names: dict[str, str]
    support: dict[str, list[TextRow]]
    queries: list[list[TextRow]]


def read_pools(source: Source, *, max_shots: int, num_draws: int, seed: int = 0) -> Pools:
    """Read a source's pools: the examples from its train files and the queries from its test file.

    A source without a file named ``test`` is split at random. Texts that repeat are kept once. Labels with
    too few examples for ``max_shots`` are left out; of very many labels, a random selection is kept.

    Args:
        source: A source of texts or pairs.
        max_shots: Largest number of examples of each label in a draw.
        num_draws: Number of draws, which share the queries.
        seed: Determines what is kept.

    Raises:
        ValueError: Fewer than two labels have enough examples.
    """
    rng = np.random.default_rng(seed)
    tests = [file for file in source.files or [] if Path(file).stem == "test"]
    others = [file for file in source.files or [] if file not in tests]
    known: set[tuple[str, str | None]] = set()
    rows = _shuffled(_read_rows(source, others, known), rng)
    test_rows = _shuffled(_read_rows(source, tests, known), rng)
    by_label: dict[str, list[TextRow]] = {}
    for row in rows:
        by_label.setdefault(row.label, []).append(row)
    # Without a test file, at least half of each label's rows are left for the queries.
    pools = {label: each if tests else each[: len(each) // 2] for label, each in sorted(by_label.items())}
    labels = [label for label, pool in pools.items() if len(pool) >= max_shots]
    if len(labels) < 2:
        raise ValueError(
            f"source {source.name!r} has {len(labels)} labels with {max_shots} examples, expected two or "
            "more: lower the number of shots or leave the source out"
        )
    labels = sorted(rng.permutation(labels)[:MOST_LABELS].tolist())
    limit = max(max_shots, LEAST_PER_LABEL, min(MOST_PER_LABEL, MOST_EXAMPLES // len(labels)))
    support = {label: pools[label][:limit] for label in labels}
    used = {row for pool in support.values() for row in pool}
    queries = [row for row in (test_rows or rows) if row.label in support and row not in used][:MOST_QUERIES]
    return Pools(
        {label: readable_label(label, source.label_names) for label in support},
        support,
        [queries[number::num_draws] for number in range(num_draws)],
    )


def draw(pools: Pools, number: int, *, shots: int) -> tuple[list[TextRow], list[TextRow]]:
    """The examples and the queries of one draw.

    Args:
        pools: What is drawn from.
        number: Number of the draw, from 0.
        shots: Examples of each label.

    Returns:
        The examples, sorted by label, and the queries.
    """
    rng = np.random.default_rng([number])
    support = []
    for pool in pools.support.values():
        order = rng.permutation(len(pool))
        support += [pool[i] for i in order[:shots]]
    return support, pools.queries[number]


def unseen_sources(config: RunConfig, trained_on: RunConfig) -> list[Source]:
    """The test sources of texts in ``config`` of which ``trained_on`` has seen nothing.

    Args:
        config: Names the sources, as their roles say.
        trained_on: Its train and validation sources count as seen, with everything of the same data set,
            such as other thresholds of the same reviews.
    """
    known = [*trained_on.sources_with("train"), *trained_on.sources_with("validation")]
    seen = {data for source in known for data in _data_sets(source)}
    tests = [source for source in config.sources_with("test") if source.task_type != "ner"]
    return [source for source in tests if not seen & _data_sets(source)]


def _data_sets(source: Source) -> set[str]:
    """What the files are parts of: their names without the part, or the folder where that is all."""
    names = set()
    for file in map(Path, source.files or []):
        name = re.split(r"[.-]", file.name)[0]
        is_part = name in ("train", "dev", "devel", "val", "test")
        names.add(file.parent.name if is_part else "snips" if name == "snips_slots" else name)
    return names


def _read_rows(source: Source, files: Sequence[str], known: set[tuple[str, str | None]]) -> Iterable[TextRow]:
    """The rows of files that can be used and whose texts are not in ``known``, which they join."""
    if not files:
        return
    for row in read_rows(source.model_copy(update={"files": list(files)})):
        try:
            label = label_text(row.label)
        except NotOneLabelError:
            continue
        text, second = str(row.text or "").strip(), row.text_pair
        second = None if second is None else str(second).strip()
        key = (text.lower(), None if second is None else second.lower())
        if row.fault or not text or second == "" or label is None or key in known:
            continue
        if label not in source.drop_labels:
            known.add(key)
            yield TextRow(text, second, label)


def _shuffled(rows: Iterable[TextRow], rng: np.random.Generator) -> list[TextRow]:
    listed = list(rows)
    return [listed[i] for i in rng.permutation(len(listed))]
