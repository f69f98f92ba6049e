"""Probabilities of entities: three ways to compute them, compared with how often an entity is right.

    METAMAPPING_DATA=path/to/data python -m benchmarks.spans [PUBLISHED]

In: a published folder (default: the packaged MiniLM, untrained) and two CoNLL sources that are validation
sources elsewhere. A task has at least five sentences with each type, drawn at random, and predicts 250 other
sentences. Out: the share of right entities, and of each kind of probability the area under the ROC curve, the
calibration error (ten bins) and the Brier score, as Markdown.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections import Counter
from itertools import groupby
from pathlib import Path

import numpy as np
from sklearn.metrics import brier_score_loss, roc_auc_score

from benchmarks.entities import Sentences, read_sentences
from benchmarks.real_run import packaged_encoder
from metamapping import MetaMapper
from metamapping.adaptation.algebra.support import Examples
from metamapping.adaptation.entity_scores import entity_spans
from metamapping.adaptation.featurizer import Featurizer
from metamapping.adaptation.state import TaskState, empty_state
from metamapping.adaptation.state_changes import with_examples
from metamapping.config.corpus import CleaningSpec
from metamapping.config.encoder import EncoderSpec
from metamapping.config.training import TrainingSpec
from metamapping.corpus.tokenizer import write_tokenizer
from metamapping.models.viterbi import decode_words, entity_probabilities
from metamapping.publishing.published_model import PublishedModel
from metamapping.training.learner import build_learner

SOURCES = {"CrossNER music": "crossner_music/test.conll", "SNIPS slots": "snips_slots.conll"}
SHOTS, QUERIES = 5, 250


def main() -> None:
    """Print the table of docs/experiments/spans.md. It takes a minute or two on two cores."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("published", nargs="?", help="folder of a published encoder")
    options = parser.parse_args()
    folder = Path(os.environ["METAMAPPING_DATA"]) / "ner"
    print("| source | entities, right | probability | AUC | calibration error | Brier score |")
    print("| --- | --- | --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory() as scratch:
        if options.published is None:
            mapper = MetaMapper(untrained(Path(scratch)))
        else:
            mapper = MetaMapper.from_pretrained(options.published)
        for name, file in SOURCES.items():
            is_right, probabilities = measure(
                mapper.featurizer, read_sentences(folder / file, keep_case=True)
            )
            right = f"{len(is_right)}, {is_right.mean():.1%}"
            for kind, values in probabilities.items():
                scores = (
                    roc_auc_score(is_right, values),
                    calibration_error(is_right, values),
                    brier_score_loss(is_right, values),
                )
                print(f"| {name} | {right} | {kind} | {' | '.join(f'{score:.3f}' for score in scores)} |")


def untrained(folder: Path) -> PublishedModel:
    """The packaged encoder as it is before any training; ``folder`` is for its tokenizer."""
    spec = EncoderSpec(preset=packaged_encoder())
    counts = write_tokenizer(spec, [], folder)
    learner = build_learner(spec, TrainingSpec(), vocabulary_size=counts["vocabulary_size"], seed=0)
    return PublishedModel(
        encoder=learner.encoder,
        mapping=learner.mapping,
        tokenizer_folder=folder,
        max_length_tokens=spec.max_length_tokens,
        cleaning=CleaningSpec(),
    )


def measure(featurizer: Featurizer, sentences: Sentences) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Whether each predicted entity is right, ``(num_entities,)``, and its probabilities by kind."""
    order = np.random.default_rng(0).permutation(len(sentences))
    support, counts = [], Counter[str]()
    for i in order:
        types = {tag[2:] for tag in sentences[i][1] if tag != "O"}
        if any(counts[kind] < SHOTS for kind in types):
            support.append(i)
            counts.update(types)
    chosen = set(support)
    queries = [sentences[i] for i in order if i not in chosen][:QUERIES]
    words, tags = zip(*(sentences[i] for i in support), strict=True)
    examples = Examples(list(words), list(tags), None)
    state = with_examples(featurizer, empty_state(featurizer, "ner"), examples, {})
    features, offsets = featurizer.words([row for row, _ in queries])
    scores = np.split(state.solution.scores(features), offsets[1:-1])
    found = [_entities(state, *each) for each in zip((tags for _, tags in queries), scores, strict=True)]
    rows = np.concatenate(found)
    return rows[:, 0], dict(
        zip(("product of the words", "least of the words", "marginal"), rows.T[1:], strict=True)
    )


def _entities(state: TaskState, tags: list[str], scores: np.ndarray) -> np.ndarray:
    """Of each predicted entity whether it is right, and its three probabilities: ``(num_entities, 4)``."""
    gold = entity_spans(0, tags)
    of_words = state.calibration.probabilities(scores)
    runs = []
    for slot, group in groupby(enumerate(decode_words(scores).tolist()), key=lambda each: each[1]):
        places = [word for word, _ in group]
        if slot:
            runs.append((places[0], places[-1] + 1, slot))
    marginals = entity_probabilities(scores, runs, scale=state.calibration.scale)
    rows = []
    for (first, end, slot), marginal in zip(runs, marginals, strict=True):
        each = of_words[first:end, slot]
        is_right = (0, first, end, state.labels[slot]) in gold
        rows.append([float(is_right), each.prod(), each.min(), marginal])
    return np.array(rows).reshape(-1, 4)


def calibration_error(is_right: np.ndarray, probabilities: np.ndarray) -> float:
    """The expected calibration error over ten bins of equal width."""
    bins = np.minimum((10 * probabilities).astype(int), 9)
    gaps = np.abs([(is_right[bins == b] - probabilities[bins == b]).sum() for b in range(10)])
    return float(gaps.sum() / len(bins))


if __name__ == "__main__":
    main()
