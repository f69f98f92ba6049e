"""Drift: whether the texts that a task is used on have become unlike those that it was made from.

Two numbers say how a task sees a text: the probability of the predicted label, and the cosine similarity to
the most similar example. Without any label of the new texts, their distributions are compared with those of a
reference by the two-sample Kolmogorov-Smirnov test. The reference is an earlier time of use or, where there
is none, the task's own examples, each seen by the mapping of the others. Both tests together give a false
alarm with the probability that was asked for if the texts are drawn as the reference was. Examples often are
not, for instance because they are balanced over the labels; then false alarms are more frequent
(benchmarks/README.md, "Has the world moved?").

    drift = measure_drift(support_signals(state), text_signals(state, features))
    drift.has_drifted, drift.sentence

Lipton et al. (ICML 2018) and Rabanser et al. (NeurIPS 2019, "Failing loudly") test a classifier's outputs for
shift in the same way.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from metamapping.adaptation.left_out import left_out_scores
from metamapping.adaptation.state import TaskState

MIN_TEXTS = 20
FALSE_ALARM_RATE = 0.01
_TEXTS_PER_CHUNK = 4_096


class Signals(NamedTuple):
    """How a task sees some texts.

    Attributes:
        probability: The probability of the predicted label, ``(num_texts,)``.
        similarity: The cosine similarity to the most similar example, ``(num_texts,)``.
    """

    probability: np.ndarray
    similarity: np.ndarray


@dataclass(frozen=True)
class Measure:
    """One signal of the new texts compared with that of the reference.

    Attributes:
        name: ``probability`` or ``similarity``.
        statistic: The largest distance between the two distribution functions, from 0 to 1.
        p_value: The probability of such a distance if nothing has changed.
        reference_mean: Mean over the reference.
        mean: Mean over the new texts.
    """

    name: str
    statistic: float
    p_value: float
    reference_mean: float
    mean: float


@dataclass(frozen=True, repr=False)
class Drift:
    """The comparison of new texts with a reference.

    Attributes:
        measures: The comparison of each signal.
        num_reference: Number of texts of the reference.
        num_texts: Number of new texts.
        false_alarm_rate: The probability of ``has_drifted`` if nothing has changed.
    """

    measures: tuple[Measure, ...]
    num_reference: int
    num_texts: int
    false_alarm_rate: float

    @property
    def has_drifted(self) -> bool:
        """Whether a signal differs more than by chance, at the false alarm rate over all signals."""
        return any(each.p_value < self.false_alarm_rate / len(self.measures) for each in self.measures)

    @property
    def sentence(self) -> str:
        """What was found, as a sentence for people."""
        moved = [
            _movement(each)
            for each in self.measures
            if each.p_value < self.false_alarm_rate / len(self.measures)
        ]
        texts = f"{self.num_texts:,} texts against {self.num_reference:,}"
        if not moved:
            return f"no drift found in {texts} (false alarm rate {100 * self.false_alarm_rate:g} %)"
        return f"drift in {texts}: {' and '.join(moved)} (false alarm rate {100 * self.false_alarm_rate:g} %)"

    def __repr__(self) -> str:
        lines = [self.sentence, f"  {'':12} {'before':>7} {'now':>7} {'distance':>9} {'p-value':>9}"]
        lines += [
            f"  {each.name:12} {each.reference_mean:7.3f} {each.mean:7.3f} {each.statistic:9.3f} "
            f"{each.p_value:9.2g}"
            for each in self.measures
        ]
        return "\n".join(lines)


def _movement(measure: Measure) -> str:
    """How a signal moved. Its distribution may be another one although its mean is the same."""
    before, now = f"{measure.reference_mean:.2f}", f"{measure.mean:.2f}"
    if before == now:
        return f"the {measure.name} is {now} on average as before, but differently distributed"
    verb = "fell" if measure.mean < measure.reference_mean else "rose"
    return f"the {measure.name} {verb} from {before} to {now} on average"


def measure_drift(reference: Signals, texts: Signals, *, false_alarm_rate: float = FALSE_ALARM_RATE) -> Drift:
    """Compare the signals of new texts with those of a reference.

    Args:
        reference: The signals of the reference.
        texts: The signals of the new texts.
        false_alarm_rate: The probability of an alarm if nothing has changed, over all signals.

    Raises:
        ValueError: There are fewer than ``MIN_TEXTS`` texts on a side, or the rate is no probability.
    """
    if not 0 < false_alarm_rate < 1:
        raise ValueError(f"false_alarm_rate is {false_alarm_rate}: expected a probability between 0 and 1")
    for what, signals in (("the reference has", reference), ("there are", texts)):
        if len(signals.probability) < MIN_TEXTS:
            raise ValueError(
                f"{what} {len(signals.probability)} texts: drift needs at least {MIN_TEXTS}, so that a "
                "difference can be told from chance"
            )
    measures = [
        _measure(name, before, now)
        for name, before, now in zip(Signals._fields, reference, texts, strict=True)
    ]
    return Drift(tuple(measures), len(reference.probability), len(texts.probability), false_alarm_rate)


def support_signals(state: TaskState) -> Signals:
    """How a task sees its own examples, each by the mapping of the others.

    Args:
        state: A task of texts with examples.

    Raises:
        ValueError: It is a ``ner`` task, or as ``left_out_scores``.
    """
    _check_texts(state)
    probabilities = state.probabilities_of(left_out_scores(state))
    features = state.support.features
    return Signals(
        _of_predicted(state, probabilities), _similarity(state, features, np.arange(len(features)))
    )


def text_signals(state: TaskState, features: np.ndarray) -> Signals:
    """How a task sees texts.

    Args:
        state: A task of texts with examples.
        features: Float32 ``(num_texts, text_dim)``.

    Raises:
        ValueError: It is a task of words or of several labels a text, or it has no examples.
    """
    _check_texts(state)
    return Signals(_of_predicted(state, state.probabilities(features)), _similarity(state, features, None))


def joined(parts: Sequence[Signals]) -> Signals:
    """Return the signals of several parts of the texts, one after the other.

    Args:
        parts: The signals of each part.
    """
    none = np.zeros(0, np.float32)
    return Signals(
        np.concatenate([none, *(each.probability for each in parts)]),
        np.concatenate([none, *(each.similarity for each in parts)]),
    )


def _measure(name: str, reference: np.ndarray, texts: np.ndarray) -> Measure:
    # The exact distribution takes a hundred times as long, and hardly differs from 20 texts on.
    from scipy.stats import ks_2samp  # half a second, which predicting need not pay

    test = ks_2samp(reference, texts, method="asymp")
    return Measure(
        name, float(test.statistic), float(test.pvalue), float(reference.mean()), float(texts.mean())
    )


def _of_predicted(state: TaskState, probabilities: np.ndarray) -> np.ndarray:
    """The probability of the label that is predicted, which is not the highest one of every grade."""
    found: np.ndarray = probabilities[np.arange(len(probabilities)), state.best_of(probabilities)]
    return found


def _similarity(state: TaskState, features: np.ndarray, items: np.ndarray | None) -> np.ndarray:
    """The cosine similarity to the most similar example; ``items`` are those not to compare with."""
    support = state.support
    examples, texts = support.first_view(support.features), support.first_view(features)
    nearest = np.zeros(len(texts), np.float32)
    for first in range(0, len(texts), _TEXTS_PER_CHUNK):
        chunk = slice(first, first + _TEXTS_PER_CHUNK)
        cosine = texts[chunk] @ examples.T
        if items is not None:
            cosine[np.arange(len(cosine)), items[chunk]] = -np.inf
        nearest[chunk] = cosine.max(axis=-1)
    return nearest


def _check_texts(state: TaskState) -> None:
    if state.is_ner:
        raise ValueError("drift is measured for texts with one label, but ner has one label for each word")
    if state.is_multi_label:
        raise ValueError("drift is measured for texts with one label, but here a text has any number of them")
    if not state.support.num_examples:
        raise ValueError("the task has no examples that new texts could be compared with: add some")
