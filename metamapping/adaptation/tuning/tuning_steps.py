"""Tuning steps: the steps that tune an encoder to one task, in folds of the same length.

It needs TensorFlow. An encoder that runs on its graph is loaded there once more, because a graph has no
gradients; the delta that results can be used on either.

    steps = TuningSteps(featurizer, state, tokens, budget, report, seed=0)
    weights = steps.take(0, rows)                          # tuned to some of the examples
    features, name_features = steps.features(weights)      # of all of them
    delta = steps.delta(weights)
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from metamapping.adaptation.featurizer import Featurizer
from metamapping.adaptation.state import TaskState
from metamapping.adaptation.tuning.tuning import TaskTokens
from metamapping.errors import StoreError
from metamapping.models.weight_delta import WeightDelta
from metamapping.publishing.pretrained_model import read_encoder
from metamapping.tuning.lower_states import MAX_TOKENS, LowerStates
from metamapping.tuning.steps import (
    MAX_PAIRED_TEXTS,
    MAX_TEXTS,
    MetaStep,
    TaskStates,
    Weights,
    tuned_weights,
)
from metamapping.tuning.word_states import Window, WordStates
from metamapping.tuning.word_steps import MAX_STEP_TOKENS, WordTaskStates

# Steps of each fold and of the result; more lose (docs/experiments/tuning.md).
STEPS, MAX_STEPS = 8, 16
# Rank of the change of each matrix: 1.4 MB for all layers of a MiniLM.
RANK = 16
# All layers are tuned if a step reads at most about this many tokens, otherwise only those above the lower
# view: a step through all layers of a MiniLM costs about a second of CPU time for 1,000 tokens.
MAX_TOKENS_ALL_LAYERS = 3_000

Report = Callable[[int, int], None]  # steps taken, steps in all


class Budget:
    """How many steps each fold takes: a fixed number, or what the first can do in its share of the time.

    Args:
        seconds: Time for all steps together; ``None`` for ``STEPS``.
        num_folds: Number of times that the steps are taken.

    Attributes:
        steps: Steps of each fold; with ``seconds``, those taken so far until the first fold is done.
    """

    def __init__(self, seconds: float | None, *, num_folds: int) -> None:
        self._num_folds = num_folds
        self._until = None if seconds is None else time.monotonic() + seconds
        self._is_fixed = seconds is None
        self.steps = STEPS if seconds is None else 0

    def numbers(self) -> Iterator[int]:
        """The numbers of the steps of one fold, from 1."""
        if self._is_fixed:
            yield from range(1, self.steps + 1)
            return
        assert self._until is not None
        # The first step compiles and says nothing about the time of the others.
        self.steps = 1
        yield self.steps
        now = time.monotonic()
        until = now + (self._until - now) / self._num_folds
        while self.steps < MAX_STEPS and time.monotonic() < until:
            self.steps += 1
            yield self.steps
        self._is_fixed = True

    @property
    def expected_steps(self) -> int:
        """Steps of all folds together, as far as that is known."""
        return self._num_folds * (self.steps if self._is_fixed else MAX_STEPS)


class TuningSteps:
    """The steps of one task.

    Args:
        featurizer: The encoder; not changed.
        state: The task.
        tokens: Of its examples and labels.
        budget: How many steps each fold takes.
        report: Called after each step.
        seed: Seed of the splits.

    Attributes:
        start: The weights of the tuned layers as they are.
        num_layers: How many of the last layers are tuned.

    Raises:
        ValueError: The encoder cannot be tuned.
        StoreError: The encoder's folder is not the one that was loaded.
    """

    def __init__(
        self,
        featurizer: Featurizer,
        state: TaskState,
        tokens: TaskTokens,
        budget: Budget,
        report: Report,
        *,
        seed: int,
    ) -> None:
        model: Any = featurizer.model
        if not hasattr(model.encoder, "tuned_layers"):
            model = _tensorflow_model(model.tokenizer_folder, featurizer.fingerprint)
        fewest, most = model.encoder.tunable_depths
        self.num_layers = most if num_tokens(tokens) <= MAX_TOKENS_ALL_LAYERS else fewest
        self._step = MetaStep.of(model.encoder.tuned_layers(self.num_layers), model.mapping)
        self._budget, self._report, self._seed = budget, report, seed
        self._num_taken = 0
        self.start = self._step.start
        self._task = task_states(self._step, state, tokens)

    def take(self, fold: int, rows: np.ndarray) -> Weights:
        """Take the steps of one fold.

        Args:
            fold: Number of the fold, from which the splits are drawn.
            rows: Positions of the examples to learn from.

        Returns:
            The weights after the last step.
        """
        weights = self.start
        for weights in self.steps(fold, rows):  # noqa: B007
            pass
        return weights

    def steps(self, fold: int, rows: np.ndarray) -> Iterator[Weights]:
        """The weights after each step of one fold.

        Args:
            fold: As for ``take``.
            rows: As for ``take``.
        """
        rng = np.random.default_rng([self._seed, fold])
        endless = tuned_weights(self._step, self._task, rows, rng)
        for _ in self._budget.numbers():
            weights = next(endless)
            self._num_taken += 1
            self._report(self._num_taken, self._budget.expected_steps)
            yield weights

    def features(self, weights: Weights) -> tuple[np.ndarray, np.ndarray]:
        """The features of all examples and of all names under some weights.

        Args:
            weights: The weights of the tuned layers.

        Returns:
            Float32 ``(num_items, num_views * dim)`` and ``(num_labels, dim)``.
        """
        layers = self._step.layers
        names = self._task.names.features(layers, weights)[:, : layers.dim]
        if isinstance(self._task, WordTaskStates):  # "outside" has no name
            names = np.concatenate([np.zeros_like(names[:1]), names])
        return self._task.texts.features(layers, weights), names

    def shares(self, weights: Weights, shares: Sequence[float]) -> list[Weights]:
        """Weights between those before tuning and some tuned ones, as they would be kept.

        Args:
            weights: The tuned weights.
            shares: How much of the change each has.
        """
        layers, delta = self._step.layers, self.delta(weights)
        return [layers.to_tensors(delta.scaled(share).added_to(layers.base)) for share in shares]

    def delta(self, weights: Weights) -> WeightDelta:
        """What changed.

        Args:
            weights: The tuned weights.
        """
        layers = self._step.layers
        return WeightDelta.between(layers.base, layers.to_arrays(weights), rank=RANK)


def task_states(step: MetaStep, state: TaskState, tokens: TaskTokens) -> TaskStates | WordTaskStates:
    """The examples of a task below the tuned layers.

    Args:
        step: The step that will read them.
        state: The task.
        tokens: Of its examples and labels.
    """
    layers, targets = step.layers, state.support.targets
    names = LowerStates.of(layers, *tokens.names)
    if tokens.words is None:
        return TaskStates(LowerStates.of(layers, *tokens.texts), names, targets)
    of_words = tokens.words.windows
    ends = np.cumsum(of_words.word_starts.lengths)[:-1]
    parts = (np.split(each, ends) for each in (of_words.positions, of_words.is_owned))
    starts = (of_words.word_starts[row] for row in range(len(of_words.word_starts)))
    windows = list(map(Window, of_words.text_of.tolist(), starts, *parts))
    words = WordStates.of(
        layers, step.mapping, tokens.texts, windows, tokens.words.shapes, state.support.offsets
    )
    return WordTaskStates(words, names, targets)


def num_tokens(tokens: TaskTokens) -> int:
    """About how many tokens one step reads: those of its texts, and of all names.

    Args:
        tokens: Of the task.
    """
    texts, names = tokens.texts[0].lengths, tokens.names[0].lengths
    if tokens.words is not None:
        longest = np.sort(np.bincount(tokens.words.windows.text_of, texts))[-2:]
        return int(min(texts.sum(), max(MAX_STEP_TOKENS, longest.sum())))
    # Up to FEW_LABELS, two texts of each label are at most MAX_TEXTS.
    num_texts = min(MAX_PAIRED_TEXTS, max(MAX_TEXTS, 2 * len(names)))
    mean = float(np.minimum(texts, MAX_TOKENS).mean()) if len(texts) else 0.0
    return int(min(len(texts), num_texts) * mean + names.sum())


@lru_cache(maxsize=1)
def _tensorflow_model(folder: Path, fingerprint: str) -> Any:
    """The encoder of a folder in TensorFlow, next to the one that runs on its graph."""
    model = read_encoder(folder, backend="tensorflow")
    if model.fingerprint != fingerprint:
        raise StoreError(f"{folder} has changed since it was loaded: load it again")
    return model
