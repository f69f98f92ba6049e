"""Label noise: which labels of a task are probably wrong, judged by all other examples.

Every example is scored by the mapping of the others (``left_out``). With the probabilities ``p`` of its true
label and a share ε of labels that were replaced by any other one of C, the label ỹ that was given has the
probability ``(1 − ε) p(ỹ) + ε / (C − 1) (1 − p(ỹ))``. The inverse temperature τ of the scores and ε are those
of the highest likelihood; Bayes' rule then gives the probability that a label is wrong, and what it should
be. Rows are ranked at half of τ, where labels that resemble one another are less of a contradiction.

    suspicious = suspicious_labels(state, num=20)
    suspicious[0].text, suspicious[0].label, suspicious[0].suggested, suspicious[0].probability

The uniform replacement is a simple model of noise (Natarajan et al., NeurIPS 2013, "Learning with noisy
labels"); annotators confuse similar labels more often.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from metamapping.adaptation.explanation import explain
from metamapping.adaptation.left_out import left_out_scores
from metamapping.adaptation.results import Neighbour
from metamapping.adaptation.state import TaskState
from metamapping.config.labels import label_text
from metamapping.models.probabilities import expit, log_softmax

NUM_NEIGHBOURS = 3
# Standard deviation of the Gaussian prior on log τ around its start, and mean and standard deviation of the
# one on the log-odds of ε: 7.6 %, with two thirds of the mass between 3 and 18 %.
_LOG_SCALE_SPREAD, _NOISE_LOG_ODDS, _NOISE_SPREAD = 0.5, -2.5, 1.0
# Labels are judged by a smoother mapping than new texts, with at least this λ, and ranked at this multiple of
# τ. On six sources that benchmarks/label_noise.py does not use (intents, snippets, titles of papers, tweets
# and reviews), with 5, 10 and 20 % of planted errors, λ = 9 and half of τ found 66.2 % of them, λ = 1 and the
# whole τ 60.9 %; λ = 3 and 27 found 64.4 and 64.8 %.
MIN_RIDGE, RANKING_FACTOR = 9.0, 0.5
_SHOWN_CHARACTERS = 70


@dataclass(frozen=True)
class SuspiciousLabel:
    """An example whose label the others contradict.

    Attributes:
        index: Position of the example in the task, counted from 0.
        text: Its text, for ``ner`` its words; ``None`` if the task was saved without texts.
        label: Its label, or the list of its labels; for ``ner`` the type of the words, or "O".
        suggested: The most probable other label; the list of labels that is more probable.
        probability: The probability that the label is wrong.
        neighbours: The most similar other examples with their labels. The weight of each is what it
            contributes to the score of the suggested label.
        text_pair: The second text; ``None`` for single texts.
        word: For ``ner`` the position of the first word with that label, counted from 0.
        num_words: For ``ner`` how many words are contradicted in the same way.
    """

    index: int
    text: Any
    label: Any
    suggested: Any
    probability: float
    neighbours: list[Neighbour]
    text_pair: str | None = None
    word: int | None = None
    num_words: int | None = None

    @property
    def excerpt(self) -> str:
        """The text, or for ``ner`` the words that the label is about."""
        if self.word is None or self.num_words is None or self.text is None:
            return str(self.text)
        return " ".join(self.text[self.word : self.word + self.num_words])


class SuspiciousLabels(list[SuspiciousLabel]):
    """Examples whose labels are probably wrong, the most probable first.

    Attributes:
        num_examples: Number of examples that were checked, for ``ner`` of words.
        noise: The estimated share of wrong labels among them, from 0 to 1; where texts have any number of
            labels, that of wrong decisions whether a text has a label.
    """

    def __init__(self, labels: Sequence[SuspiciousLabel], *, num_examples: int, noise: float) -> None:
        super().__init__(labels)
        self.num_examples = num_examples
        self.noise = noise

    def from_probability(self, lowest: float) -> SuspiciousLabels:
        """Those that are wrong with at least this probability.

        Args:
            lowest: The probability, from 0 to 1.
        """
        kept = [each for each in self if each.probability >= lowest]
        return SuspiciousLabels(kept, num_examples=self.num_examples, noise=self.noise)

    def __repr__(self) -> str:
        share = f"about {100 * self.noise:.1f} % of all are wrong"
        lines = [f"{len(self)} suspicious labels of {self.num_examples}; {share}"]
        lines += [
            f"  {each.probability:4.2f}  {each.index:5}  {label_words(each.label)} -> "
            f"{label_words(each.suggested)}: {each.excerpt[:_SHOWN_CHARACTERS]!r}"
            for each in self
        ]
        return "\n".join(lines)


def label_words(label: Any) -> str:
    """A label, or a list of labels, in one line.

    Args:
        label: A label or a list of them.
    """
    if isinstance(label, list):
        return ", ".join(str(label_text(each)) for each in label) or "no label"
    return str(label_text(label))


def check_wanted(num: int | None, min_probability: float) -> None:
    """Check what a user asks for.

    Args:
        num: How many labels to return.
        min_probability: The lowest probability of being wrong.

    Raises:
        ValueError: One of them is out of range.
    """
    if num is not None and num < 1:
        raise ValueError(f"num is {num}: expected at least 1")
    if not 0 <= min_probability <= 1:
        raise ValueError(f"min_probability is {min_probability}: expected a probability, from 0 to 1")


class NoiseModel(NamedTuple):
    """How labels were replaced.

    Attributes:
        scale: The inverse temperature τ of the left-out scores.
        noise: The share ε of labels that were replaced.
    """

    scale: float
    noise: float

    def posterior(self, scores: np.ndarray, targets: np.ndarray) -> np.ndarray:
        """The probability of each label to be the true one, given the label that was given.

        Args:
            scores: Left-out scores ``(num_examples, num_labels)``.
            targets: The given label slots ``(num_examples,)``.

        Returns:
            ``(num_examples, num_labels)``, rows that sum to 1.
        """
        num_labels, items = scores.shape[1], np.arange(len(targets))
        log_other = np.log(self.noise) - np.log(num_labels - 1)
        log_joint = log_softmax(self.scale * scores) + log_other
        log_joint[items, targets] += np.log1p(-self.noise) - log_other
        posterior: np.ndarray = np.exp(log_softmax(log_joint))
        return posterior


def fit_noise(scores: np.ndarray, targets: np.ndarray, *, scale: float) -> NoiseModel:
    """The noise model of the highest posterior probability.

    Args:
        scores: Left-out scores ``(num_examples, num_labels)``.
        targets: The given label slots ``(num_examples,)``.
        scale: The inverse temperature to start from.
    """
    from scipy.optimize import minimize

    items, num_others = np.arange(len(targets)), scores.shape[1] - 1

    def loss(parameters: np.ndarray) -> float:
        log_scale, log_odds = parameters
        true = np.exp(log_softmax(np.exp(log_scale) * scores)[items, targets])
        noise = expit(log_odds)
        given = (1 - noise) * true + noise / num_others * (1 - true)
        far = ((log_scale - np.log(scale)) / _LOG_SCALE_SPREAD) ** 2
        far += ((log_odds - _NOISE_LOG_ODDS) / _NOISE_SPREAD) ** 2
        return float(far / 2 - np.log(given + 1e-12).sum())

    start = [np.log(scale), _NOISE_LOG_ODDS]
    best = minimize(loss, start, method="Nelder-Mead", options={"xatol": 1e-3, "fatol": 1e-3}).x
    return NoiseModel(float(np.exp(best[0])), float(expit(best[1])))


def rank(model: NoiseModel, scores: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The examples by how much the others contradict their labels.

    Args:
        model: The noise model of the highest likelihood.
        scores: Left-out scores ``(num_examples, num_labels)``.
        targets: The given label slots ``(num_examples,)``.

    Returns:
        Positions ``(num_examples,)``, the most contradicted first; and the probability that the label of each
        of them is wrong: that of the model, averaged where it is not in this order (isotonic regression).
    """
    from scipy.optimize import isotonic_regression

    items = np.arange(len(targets))
    support = log_softmax(RANKING_FACTOR * model.scale * scores)[items, targets]
    ranked = np.argsort(support, kind="stable")
    wrong = 1.0 - model.posterior(scores, targets)[items, targets]
    return ranked, np.clip(isotonic_regression(wrong[ranked], increasing=False).x, 0.0, 1.0)


def suspicious_labels(
    state: TaskState,
    *,
    num: int | None = None,
    min_probability: float = 0.5,
    groups: Sequence[Any] | None = None,
) -> SuspiciousLabels:
    """Find the examples whose label the others contradict.

    Args:
        state: A task with one label for each text, and with examples.
        num: How many to return, whatever their probability. Default: all from ``min_probability``.
        min_probability: The lowest probability of being wrong that is returned, from 0 to 1.
        groups: The group of each example; the examples of a group do not judge one another.

    Returns:
        The examples; the highest probability comes first.

    Raises:
        ValueError: A number is out of range, or as ``left_out_scores``.
    """
    check_wanted(num, min_probability)
    scores = left_out_scores(state, groups=groups, min_ridge=MIN_RIDGE)
    targets = state.support.targets
    ranked, wrong = rank(fit_noise(scores, targets, scale=state.calibration.scale), scores, targets)
    others = scores.copy()
    others[np.arange(len(targets)), targets] = -np.inf
    chosen = ranked[: int((wrong >= min_probability).sum()) if num is None else num]
    suggested = others.argmax(axis=-1)
    neighbours = _neighbours(state, chosen, suggested[chosen])
    labels = [
        SuspiciousLabel(
            index=int(i),
            text=state.support.texts[i],
            label=state.labels[targets[i]],
            suggested=state.labels[suggested[i]],
            probability=float(probability),
            neighbours=near,
            text_pair=None if state.support.text_pairs is None else state.support.text_pairs[i],
        )
        for i, near, probability in zip(chosen, neighbours, wrong[: len(chosen)], strict=True)
    ]
    return SuspiciousLabels(labels, num_examples=len(targets), noise=float(wrong.mean()))


def _neighbours(state: TaskState, chosen: np.ndarray, suggested: np.ndarray) -> list[list[Neighbour]]:
    """The most similar other examples of each, with what they add to the suggested label's score."""
    if not len(chosen):
        return []
    features = state.support.features[chosen]
    explanations = explain(state, features, num_examples=NUM_NEIGHBOURS + 1, slots=suggested)
    return [
        [near for near in explanation if near.index != i][:NUM_NEIGHBOURS]
        for i, explanation in zip(chosen, explanations, strict=True)
    ]
