"""Whole entities: their ends first, then their types by all of their words, compared with joint decoding.

    METAMAPPING_DATA=path/to/data python -m benchmarks.whole_entities ENCODER [--sources music slots]
    METAMAPPING_DATA=path/to/data python -m benchmarks.whole_entities ENCODER --support-sets gum wnut
    METAMAPPING_DATA=path/to/data python -m benchmarks.whole_entities ENCODER --shared-ends
    METAMAPPING_DATA=path/to/data python -m benchmarks.whole_entities ENCODER --tune [--sets 3 --queries 300]

In: a published or pretrained encoder, and CoNLL sources that are validation sources elsewhere; of each 450
sentences. A task has sentences with at least so many entities of every type, drawn at random, and predicts 80
others. Or the published support sets, each of which predicts its whole test file. With ``--shared-ends``, how
the words of entities differ from others is learned from train sources of other types as well. With ``--tune``
every task is also predicted by an encoder that was tuned to it, as the gate decides. Out: micro-F1
of whole entities by each way, and the share of entities in the examples that directly follow another, as
Markdown.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np

from benchmarks.entities import LABEL_NAMES, TEST_FOLDERS, Sentences, read_sentences
from metamapping import MetaMapper
from metamapping.adaptation.algebra.entity_types import WordScores
from metamapping.adaptation.entity_scores import entity_f1, entity_spans
from metamapping.adaptation.state import TaskState
from metamapping.models.separate_entities import decode_separately
from metamapping.models.viterbi import decode_words

SOURCES = {
    "music": ["crossner_music/dev.conll"],
    "slots": ["snips_slots.conll"],
    "anatomy": ["anem/train.conll"],
    "genetics": ["bionlp13cg/train.tsv"],
}
TRAIN_SOURCES = {
    "ai": "crossner_ai/*.conll",
    "literature": "crossner_literature/*.conll",
    "politics": "crossner_politics/*.conll",
    "science": "crossner_science/*.conll",
    "broad-twitter": "btc/[befgh].conll",
    "wikigold": "wikigold.conll",
    "re3d": "re3d/*.conll",
}
SENTENCES, QUERIES = 450, 80
TRAIN_SENTENCES = 250
# Chosen on the validation sources: docs/experiments/whole-entities.md.
SHARED_RIDGE, SHARED_WEIGHT, SHARED_PENALTY = 3e-3, 0.5, 0.2
Decoder = Callable[[TaskState, WordScores, np.ndarray], np.ndarray]  # of one sentence, with its features
DECODERS: dict[str, Decoder] = {
    "labels of words": lambda _, scores, __: decode_words(scores.labels),
    "ends, then types by the words": lambda _, scores, __: decode_separately(scores.labels),
    "ends, then types": lambda _, scores, __: decode_separately(scores.labels, type_scores=scores.types),
    "as predicted": lambda state, scores, _: state.decode(scores),
}


def main() -> None:
    """Print the table of docs/experiments/whole-entities.md, or that of the support sets."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("encoder", help="folder of a published or pretrained encoder")
    parser.add_argument("--sources", nargs="*", default=list(SOURCES), choices=SOURCES)
    parser.add_argument("--support-sets", nargs="*", default=[], choices=TEST_FOLDERS)
    parser.add_argument("--shots", nargs="+", type=int, default=[1, 5])
    parser.add_argument("--draws", type=int, default=5)
    parser.add_argument("--shared-ends", action="store_true", help="learn ends from train sources as well")
    parser.add_argument("--tune", action="store_true", help="tune the encoder to each task as well")
    parser.add_argument("--sets", type=int, default=10, help="how many of the support sets")
    parser.add_argument("--queries", type=int, help="that many sentences of a test file, drawn at random")
    options = parser.parse_args()
    mapper = MetaMapper.from_pretrained(options.encoder, progress=False)
    decoders = dict(DECODERS)
    if options.shared_ends:
        decoders["ends, learned from train sources as well"] = _shared_decoder(shared_ends(mapper))
    columns = [*decoders, *(["as predicted, tuned", "tuned tasks, %"] if options.tune else [])]
    print(f"| source, shots | {' | '.join(columns)} | directly follow another |")
    print("| --- " * (2 + len(columns)) + "|")
    for name in options.support_sets or options.sources:
        for shots in options.shots:
            if options.support_sets:
                tasks = _support_sets(name, shots, options.queries)[: options.sets]
            else:
                tasks = _draws(name, shots, options.draws)
            rows = np.array(list(measured(mapper, tasks, decoders, tune=options.tune)))
            cells = [f"{mean:.1f} ± {std:.1f}" for mean, std in zip(rows.mean(0), rows.std(0), strict=True)]
            print(f"| {name}, {shots} | {' | '.join(cells[:-1])} | {rows[:, -1].mean():.1f} % |", flush=True)


def shared_ends(mapper: MetaMapper) -> np.ndarray:
    """A ridge regression of "inside of an entity" for the words of all train sources, each weighted alike.

    Args:
        mapper: Its encoder gives the features.

    Returns:
        Float64 ``(width + 1,)``: weights and constant, about 0.5 for words inside and -0.5 for others.
    """
    folder = Path(os.environ["METAMAPPING_DATA"]) / "ner"
    gram, moments = np.zeros((2, 1, 1))
    for pattern in TRAIN_SOURCES.values():
        rows = [row for path in sorted(folder.glob(pattern)) for row in read_sentences(path, keep_case=True)]
        rows = [row for row in rows if 3 <= len(row[0]) <= 80]
        rows = [rows[i] for i in np.random.default_rng(0).permutation(len(rows))[:TRAIN_SENTENCES]]
        features, _ = mapper.featurizer.words([words for words, _ in rows])
        x = np.concatenate([features, np.ones((len(features), 1))], axis=1)
        is_inside = np.array([tag != "O" for _, tags in rows for tag in tags])
        # Nineteen of twenty words are outside: the root of a class's size counts, not the size.
        weights = np.where(is_inside, is_inside.mean(), 1 - is_inside.mean()) ** -0.5
        weighted = x * (weights / weights.sum())[:, None]
        gram, moments = gram + weighted.T @ x, moments + weighted.T @ is_inside[:, None]
    penalty = SHARED_RIDGE * len(TRAIN_SOURCES) * np.diag([*np.ones(len(gram) - 1), 0.0])
    solved: np.ndarray = np.linalg.solve(gram + penalty, moments)[:, 0]
    solved[-1] -= 0.5
    return solved


def _shared_decoder(ends: np.ndarray) -> Decoder:
    def decode(_: TaskState, scores: WordScores, features: np.ndarray) -> np.ndarray:
        # The same for all types, so that what type an entity has does not change.
        shift = SHARED_WEIGHT * (features @ ends[:-1] + ends[-1])[:, None]
        shifted = scores.labels - shift * (np.arange(scores.labels.shape[1]) == 0)
        return decode_separately(shifted, type_scores=scores.types, entity_penalty=SHARED_PENALTY)

    return decode


def measured(
    mapper: MetaMapper,
    tasks: Iterable[tuple[Sentences, Sentences]],
    decoders: Mapping[str, Decoder],
    *,
    tune: bool = False,
) -> Iterator[tuple[float, ...]]:
    """Micro-F1 of whole entities by each way, and the share of adjacent entities in the support, in percent.

    Args:
        mapper: Its encoder gives the features.
        tasks: Of each the support, and the sentences to predict.
        decoders: The ways.
        tune: Whether to predict by a tuned encoder as well.
    """
    encoded: tuple[Sentences, tuple[np.ndarray, np.ndarray]] | None = None
    for support, queries in tasks:
        if encoded is None or encoded[0] is not queries:  # support sets share their test file
            encoded = queries, mapper.featurizer.words([row for row, _ in queries])
        *scores, adjacent = _measure(mapper, support, queries, *encoded[1], decoders)
        if tune:
            scores += _measure_tuned(mapper, support, queries, scores[-1])
        yield *scores, adjacent


def _measure(
    mapper: MetaMapper,
    support: Sentences,
    queries: Sentences,
    features: np.ndarray,
    offsets: np.ndarray,
    decoders: Mapping[str, Decoder],
) -> tuple[float, ...]:
    words, tags = zip(*support, strict=True)
    types = {tag[2:] for row in tags for tag in row if tag != "O"}
    names = {label: name for label, name in LABEL_NAMES.items() if label in types}
    mapping = mapper.adapt(list(words), list(tags), task_type="ner", label_names=names)
    state = mapping.state
    sentences = [state.word_scores(features).split(offsets), np.split(features, offsets[1:-1])]
    gold = {span for i, (_, row) in enumerate(queries) for span in entity_spans(i, row)}
    found = []
    for decode in decoders.values():
        rows = [
            ["O" if slot == 0 else f"I-{state.labels[slot]}" for slot in decode(state, *each).tolist()]
            for each in zip(*sentences, strict=True)
        ]
        spans = {span for i, row in enumerate(rows) for span in entity_spans(i, row)}
        found.append(100 * entity_f1(gold, spans))
    return *found, 100 * _adjacent_share(tags)


def _measure_tuned(
    mapper: MetaMapper, support: Sentences, queries: Sentences, untuned: float
) -> tuple[float, float]:
    """Micro-F1 by an encoder that is tuned as the gate decides, and 100 if it was tuned, in percent."""
    words, tags = zip(*support, strict=True)
    types = {tag[2:] for row in tags for tag in row if tag != "O"}
    names = {label: name for label, name in LABEL_NAMES.items() if label in types}
    started = time.process_time()
    mapping = mapper.adapt(list(words), list(tags), task_type="ner", label_names=names, tune=True)
    seconds = time.process_time() - started
    assert mapping.tuning is not None
    score = untuned
    if mapping.tuning.is_tuned:
        predicted = mapping.predict([row for row, _ in queries])
        gold = {span for i, (_, row) in enumerate(queries) for span in entity_spans(i, row)}
        found = {span for i, row in enumerate(predicted) for span in entity_spans(i, row)}
        score = 100 * entity_f1(gold, found)
    print(f"  {untuned:.1f} -> {score:.1f}, {seconds:.0f} CPU seconds, {mapping.tuning}", file=sys.stderr)
    return score, 100.0 * mapping.tuning.is_tuned


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


def _support_sets(name: str, shots: int, num_queries: int | None) -> list[tuple[Sentences, Sentences]]:
    """The published support sets, each with the whole test file or so many of its sentences."""
    folder = Path(os.environ["METAMAPPING_DATA"]) / "ner"
    queries = read_sentences(folder / TEST_FOLDERS[name] / "test.conll", keep_case=True)
    if num_queries is not None:
        order = np.random.default_rng(0).permutation(len(queries))
        queries = [queries[i] for i in order[:num_queries]]
    files = sorted((folder / "support-sets" / f"{name}-{shots}shot").iterdir())
    return [(read_sentences(path, keep_case=True), queries) for path in files]


if __name__ == "__main__":
    main()
