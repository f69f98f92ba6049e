"""Whole entities: their ends first and their types by all of their words, compared with joint decoding.

    METAMAPPING_DATA=path/to/data python -m benchmarks.whole_entities ENCODER [--sources music slots]
    METAMAPPING_DATA=path/to/data python -m benchmarks.whole_entities ENCODER --support-sets gum wnut

In: a published or pretrained encoder, and CoNLL sources that are validation sources elsewhere; of each 450
sentences. A task has sentences with at least so many entities of every type, drawn at random, and predicts 80
others. Or the published support sets, each of which predicts its whole test file. Out: micro-F1 of whole
entities by both ways, and the share of entities in the examples that directly follow another, as Markdown.
"""

from __future__ import annotations

import argparse
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np

from benchmarks.entities import LABEL_NAMES, TEST_FOLDERS, Sentences, read_sentences
from metamapping import MetaMapper
from metamapping.adaptation.entity_scores import entity_f1, entity_spans
from metamapping.models.separate_entities import decode_separately
from metamapping.models.viterbi import decode_words

SOURCES = {
    "music": ["crossner_music/dev.conll"],
    "slots": ["snips_slots.conll"],
    "anatomy": ["anem/train.conll"],
    "genetics": ["bionlp13cg/train.tsv"],
}
SENTENCES, QUERIES = 450, 80
DECODERS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "labels of words": decode_words,
    "ends, then types": decode_separately,
}


def main() -> None:
    """Print the table of docs/experiments/whole-entities.md, or that of the support sets."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("encoder", help="folder of a published or pretrained encoder")
    parser.add_argument("--sources", nargs="*", default=list(SOURCES), choices=SOURCES)
    parser.add_argument("--support-sets", nargs="*", default=[], choices=TEST_FOLDERS)
    parser.add_argument("--shots", nargs="+", type=int, default=[1, 5])
    parser.add_argument("--draws", type=int, default=5)
    options = parser.parse_args()
    mapper = MetaMapper.from_pretrained(options.encoder, progress=False)
    print(f"| source, shots | {' | '.join(DECODERS)} | directly follow another |")
    print("| --- | --- | --- | --- |")
    for name in options.support_sets or options.sources:
        for shots in options.shots:
            tasks = _support_sets(name, shots) if options.support_sets else _draws(name, shots, options.draws)
            rows = np.array(list(measured(mapper, tasks)))
            cells = [f"{mean:.1f} ± {std:.1f}" for mean, std in zip(rows.mean(0), rows.std(0), strict=True)]
            print(f"| {name}, {shots} | {cells[0]} | {cells[1]} | {rows[:, 2].mean():.1f} % |", flush=True)


def measured(
    mapper: MetaMapper, tasks: Iterable[tuple[Sentences, Sentences]]
) -> Iterator[tuple[float, float, float]]:
    """Micro-F1 of whole entities by both ways, and the share of adjacent entities in the support, in percent.

    Args:
        mapper: Its encoder gives the features.
        tasks: Of each the support, and the sentences to predict.
    """
    encoded: tuple[Sentences, tuple[np.ndarray, np.ndarray]] | None = None
    for support, queries in tasks:
        if encoded is None or encoded[0] is not queries:  # support sets share their test file
            encoded = queries, mapper.featurizer.words([row for row, _ in queries])
        yield _measure(mapper, support, queries, *encoded[1])


def _measure(
    mapper: MetaMapper, support: Sentences, queries: Sentences, features: np.ndarray, offsets: np.ndarray
) -> tuple[float, float, float]:
    words, tags = zip(*support, strict=True)
    types = {tag[2:] for row in tags for tag in row if tag != "O"}
    names = {label: name for label, name in LABEL_NAMES.items() if label in types}
    mapping = mapper.adapt(list(words), list(tags), task_type="ner", label_names=names)
    state = mapping.state
    scores = np.split(state.solution.scores(features), offsets[1:-1])
    gold = {span for i, (_, row) in enumerate(queries) for span in entity_spans(i, row)}
    found = []
    for decode in DECODERS.values():
        rows = [
            ["O" if slot == 0 else f"I-{state.labels[slot]}" for slot in decode(each).tolist()]
            for each in scores
        ]
        spans = {span for i, row in enumerate(rows) for span in entity_spans(i, row)}
        found.append(100 * entity_f1(gold, spans))
    return found[0], found[1], 100 * _adjacent_share(tags)


def _adjacent_share(tags: Sequence[Sequence[str]]) -> float:
    """The share of entities that directly follow one of another type."""
    rows = [sorted(entity_spans(0, row)) for row in tags]
    num_adjacent = sum(a[2] == b[1] and a[3] != b[3] for row in rows for a, b in pairwise(row))
    return num_adjacent / max(1, sum(map(len, rows)))


def _draws(name: str, shots: int, num_draws: int) -> list[tuple[Sentences, Sentences]]:
    """Tasks of a source: the support, and other sentences."""
    folder = Path(os.environ["METAMAPPING_DATA"]) / "ner"
    rows = [row for file in SOURCES[name] for row in read_sentences(folder / file, keep_case=True)]
    rows = [row for row in rows if 3 <= len(row[0]) <= 80]
    rows = [rows[i] for i in np.random.default_rng(0).permutation(len(rows))[:SENTENCES]]
    return [_draw(rows, shots, np.random.default_rng([99, draw, shots])) for draw in range(num_draws)]


def _draw(rows: Sentences, shots: int, rng: np.random.Generator) -> tuple[Sentences, Sentences]:
    """Sentences that bring an entity of a type with fewer than ``shots`` so far, and ``QUERIES`` others."""
    order, support, counts = rng.permutation(len(rows)), [], Counter[str]()
    for i in order:
        types = Counter(kind for *_, kind in entity_spans(0, rows[i][1]))
        if any(counts[kind] < shots for kind in types):
            support.append(i)
            counts.update(types)
    chosen = set(support)
    queries = [i for i in order if i not in chosen][:QUERIES]
    return [rows[i] for i in support], [rows[i] for i in queries]


def _support_sets(name: str, shots: int) -> list[tuple[Sentences, Sentences]]:
    """The published support sets, each with the whole test file."""
    folder = Path(os.environ["METAMAPPING_DATA"]) / "ner"
    queries = read_sentences(folder / TEST_FOLDERS[name] / "test.conll", keep_case=True)
    files = sorted((folder / "support-sets" / f"{name}-{shots}shot").iterdir())
    return [(read_sentences(path, keep_case=True), queries) for path in files]


if __name__ == "__main__":
    main()
