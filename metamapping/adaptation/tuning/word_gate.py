"""Word gate: whether tuning the encoder to a task of named entities helps it, by sentences left out.

As for texts (``tuning_gate``), with folds of whole sentences. A sentence shows the mean log probability of
its words' labels, each word counted by the share of its label, so that the many words outside do not decide
alone.

    choice = choose(left_out_words(featurizer, state, steps, word_folds(state)))
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from metamapping.adaptation.featurizer import Featurizer
from metamapping.adaptation.state import TaskState
from metamapping.adaptation.state_changes import without_examples
from metamapping.adaptation.tuning.tuning_gains import Prior
from metamapping.adaptation.tuning.tuning_gate import (
    NUM_FOLDS,
    Evidence,
    Fold,
    judge,
    logits_without,
    scores_without_folds,
    telling_folds,
)

if TYPE_CHECKING:  # this module imports TensorFlow
    from metamapping.adaptation.tuning.tuning_steps import TuningSteps

# For each of WEIGHTS. Few draws are known, and some lost (docs/experiments/tuning.md): the offset is below
# LEAST_GAIN, so that a task is tuned only if its own sentences show a gain.
WORD_PRIORS = (Prior(0.01, 0.0, 0.0, 0.05, 0.07), Prior(0.01, 0.0, 0.0, 0.07, 0.07))
# For each of WEIGHTS, what the inverse temperature has to be multiplied by on most tasks.
_USUAL_FACTORS = (1.0, 1.0)
# A left-out word counts by the number of words of its label to the power of minus this, as in the loss.
_BALANCE = 0.5


@dataclass(frozen=True)
class WordEvidence(Evidence):
    """What leaving sentences out has shown."""

    @property
    def priors(self) -> Sequence[Prior]:
        """What is expected of each of ``WEIGHTS`` before anything is left out."""
        return WORD_PRIORS

    @property
    def what(self) -> str:
        """What becomes more or less probable, for a sentence."""
        return "labels of words in left-out sentences"


def word_folds(state: TaskState) -> list[Fold]:
    """The folds of sentences, at most ``NUM_FOLDS``, that say something about tuning.

    Args:
        state: A ``ner`` task.

    Returns:
        An empty list if no type occurs in two sentences where others are left out.
    """
    types_in = _types_in_sentences(state)

    def left_out_of(rest: np.ndarray, removed: np.ndarray) -> np.ndarray:
        counts = types_in[rest].sum(axis=0)
        if not (counts > 1).any():
            return removed[:0]
        left_out: np.ndarray = removed[(types_in[removed] & (counts > 0)).any(axis=1)]
        return left_out

    return telling_folds(_fold_of(state), left_out_of)


def left_out_words(
    featurizer: Featurizer, state: TaskState, steps: TuningSteps, folds: Sequence[Fold]
) -> WordEvidence:
    """Predict sentences by mappings without their fold, as the encoder is and tuned without their fold.

    Args:
        featurizer: Has the meta-learned mapping.
        state: The task; ``steps`` was prepared with all of its sentences.
        steps: Takes the steps of each fold.
        folds: At least one, as from ``word_folds``.
    """
    targets, offsets = state.support.targets, state.support.offsets
    sentence_of = np.repeat(np.arange(state.support.num_examples), np.diff(offsets))
    words: list[np.ndarray] = []
    for fold in folds:
        known = np.unique(targets[np.isin(sentence_of, fold.rest)])
        words.append(np.flatnonzero(np.isin(sentence_of, fold.left_out) & np.isin(targets, known)))
    logits = scores_without_folds(steps, folds, words, partial(logits_without, featurizer, state))
    items = np.concatenate(words)
    outcomes = [
        judge(each, targets[items], usual) for each, usual in zip(logits, (1.0, *_USUAL_FACTORS), strict=True)
    ]
    weights = word_counts(targets[items])
    before, *after = (sentence_means(log_p, weights, sentence_of[items]) for log_p, _ in outcomes)
    shares = np.bincount(targets[items]) / len(items)
    chance = sentence_means(np.log(shares[targets[items]]), weights, sentence_of[items])
    num_entities = _types_in_sentences(state).sum() / max(1, len(np.unique(targets[targets > 0])))
    # Without tuning a task keeps the learned inverse temperature, whatever would suit its sentences.
    factors = tuple(factor / outcomes[0][1] for _, factor in outcomes[1:])
    return WordEvidence(before, np.stack(after), float(chance.mean()), float(num_entities), factors)


def with_fewer_sentences(featurizer: Featurizer, state: TaskState, num_examples: int) -> TaskState:
    """The state with an even selection of its sentences, in the order in which they were given.

    Args:
        featurizer: Has the meta-learned mapping; nothing is encoded.
        state: The state to start from.
        num_examples: How many sentences to keep, fewer than there are.
    """
    sentences = np.arange(state.support.num_examples)
    kept = np.linspace(0, len(sentences) - 1, num_examples).astype(int)
    return without_examples(featurizer, state, np.setdiff1d(sentences, kept).tolist())


def word_counts(targets: np.ndarray) -> np.ndarray:
    """What each of some words counts.

    Args:
        targets: Label slots, int ``(N,)``.
    """
    counts: np.ndarray = np.bincount(targets)[targets].astype(np.float64) ** -_BALANCE
    return counts


def sentence_means(values: np.ndarray, weights: np.ndarray, sentence_of: np.ndarray) -> np.ndarray:
    """What each sentence shows: so weighted that their mean is the weighted mean of all words.

    Args:
        values: Of each word, ``(N,)``.
        weights: What each word counts, ``(N,)``.
        sentence_of: The sentence of each word, ``(N,)``.

    Returns:
        ``(num_sentences,)``, of the sentences that have words here.
    """
    _, sentences = np.unique(sentence_of, return_inverse=True)
    count = sentences.max() + 1
    means: np.ndarray = np.bincount(sentences, weights * values) * count / weights.sum()
    return means


def _fold_of(state: TaskState) -> np.ndarray:
    """The fold of each sentence: those of each type are spread over all, copies of one text are together."""
    support, types_in = state.support, _types_in_sentences(state)
    frequencies = types_in.sum(axis=0)
    rarest = [
        min(np.flatnonzero(row), key=lambda slot: (frequencies[slot], slot), default=-1) for row in types_in
    ]
    first: dict[tuple[str, ...], int] = {}
    for sentence, text in enumerate(support.texts):
        first.setdefault(tuple(text), sentence)
    different = sorted(first.values(), key=lambda sentence: (rarest[sentence], sentence))
    numbers = {sentence: rank % NUM_FOLDS for rank, sentence in enumerate(different)}
    return np.array([numbers[first[tuple(text)]] for text in support.texts])


def _types_in_sentences(state: TaskState) -> np.ndarray:
    """Which types each sentence has: bool ``(num_sentences, num_labels)``, false for "outside"."""
    support = state.support
    found = np.zeros((support.num_examples, len(state.labels)), bool)
    sentence_of = np.repeat(np.arange(support.num_examples), np.diff(support.offsets))
    found[sentence_of, support.targets] = True
    found[:, 0] = False
    return found
