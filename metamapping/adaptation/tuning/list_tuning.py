"""List tuning: whether tuning helps a task whose texts have any number of labels, and how it decides then.

The gate is that of ``tuning_gate``, with the log probability of all labels of a text. The sigmoids and
thresholds of a tuned task follow from the examples that were left out while the layers were tuned: layers
know the examples that they were tuned to, and score these, even each by the mapping of the others, as they
score no other text.

    evidence = list_evidence(featurizer, state, steps, judged_list_folds(state))
    choice = choose(evidence)
    evidence.decisions_of(choice.best_weight)

Notation: ``F`` left-out texts, ``C`` labels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from metamapping.adaptation.algebra.plain_mapping import plain_mapping
from metamapping.adaptation.featurizer import Featurizer
from metamapping.adaptation.multi_label.label_decisions import LabelDecisions, decide
from metamapping.adaptation.multi_label.label_sigmoids import shared_log_likelihoods
from metamapping.adaptation.multi_label.list_folds import list_folds
from metamapping.adaptation.multi_label.multi_label_state import (
    MultiLabelState,
    left_out_label_scores,
    solved_lists,
    without_label_lists,
)
from metamapping.adaptation.tuning.tuning_gains import WEIGHTS, Prior
from metamapping.adaptation.tuning.tuning_gate import (
    NUM_FOLDS,
    Evidence,
    Fold,
    scores_without_folds,
    telling_folds,
)

if TYPE_CHECKING:  # this module imports TensorFlow
    from metamapping.adaptation.tuning.tuning_steps import TuningSteps

# For each of WEIGHTS. The mean for half of the change is that of tasks of one label a text, and all of it is
# expected to gain half as much again; all sources that were tuned to gained more than that, but they are few.
# Their folds show more than a task gains (docs/experiments/tuning.md), hence the mismatch.
LIST_PRIORS = (Prior(0.035, 0.062, -0.024, 0.1, 0.125), Prior(0.052, 0.093, -0.036, 0.115, 0.12))
# The scores of a mapping of all examples lie further apart than those of a fold's, but not by more than this.
_MOST_STRETCH = 1.5


@dataclass(frozen=True)
class ListEvidence(Evidence):
    """What leaving texts out has shown, of a task of several labels a text.

    Attributes:
        decisions: For each of ``WEIGHTS`` the sigmoids and thresholds that suit the left-out texts.
    """

    decisions: tuple[LabelDecisions, ...] = field(kw_only=True)

    @property
    def priors(self) -> Sequence[Prior]:
        """What is expected of each of ``WEIGHTS`` before anything is left out."""
        return LIST_PRIORS

    def decisions_of(self, weight: float) -> LabelDecisions:
        """The decisions that belong to one of ``WEIGHTS``.

        Args:
            weight: The share of the change.
        """
        return self.decisions[WEIGHTS.index(weight)]


def judged_list_folds(state: MultiLabelState) -> list[Fold]:
    """The folds, at most ``NUM_FOLDS``, that say something about tuning: as many as are needed.

    Args:
        state: The task.

    Returns:
        An empty list if there is no label that two texts have and two have not where others are left out.
    """
    support = state.support
    if support.num_examples < 2:
        return []

    def left_out_of(rest: np.ndarray, removed: np.ndarray) -> np.ndarray:
        count = support.targets[rest].sum(axis=0)
        has_splits = bool(((count > 1) & (count < len(rest) - 1)).any())
        return removed if has_splits else removed[:0]

    return telling_folds(list_folds(support.features, support.targets, num_folds=NUM_FOLDS), left_out_of)


def list_evidence(
    featurizer: Featurizer, state: MultiLabelState, steps: TuningSteps, folds: Sequence[Fold]
) -> ListEvidence:
    """Predict texts by mappings without their fold, as the encoder is and tuned without their fold.

    Args:
        featurizer: Has the meta-learned mapping.
        state: The task; ``steps`` was prepared with all of its examples.
        steps: Takes the steps of each fold.
        folds: At least one, as from ``judged_list_folds``.
    """
    left_out = [fold.left_out for fold in folds]
    before, *after = scores_without_folds(steps, folds, left_out, partial(_scores, featurizer, state))
    rows = np.concatenate(left_out)
    targets = state.support.targets[rows]
    inverse_temperature = plain_mapping(featurizer.model.mapping).inverse_temperature
    log_p = [
        shared_log_likelihoods(each, targets, inverse_temperature=inverse_temperature)
        for each in (before, *after)
    ]
    stretch = _stretch(before, left_out_label_scores(state)[rows], targets)
    return ListEvidence(
        before=log_p[0],
        after=np.stack(log_p[1:]),
        chance=_chance(targets),
        shots=float(state.support.targets.sum() / max(1, state.support.targets.any(axis=0).sum())),
        decisions=tuple(
            decide(stretch[0] * each + stretch[1], targets, inverse_temperature=inverse_temperature)
            for each in after
        ),
    )


def with_fewer_lists(featurizer: Featurizer, state: MultiLabelState, num_examples: int) -> MultiLabelState:
    """The state with an even selection of its examples, whatever the order in which they were given.

    Args:
        featurizer: Has the meta-learned mapping; nothing is encoded.
        state: The state to start from.
        num_examples: How many examples to keep, fewer than there are.
    """
    order = np.argsort(state.support.features[:, 0], kind="stable")
    kept = order[np.linspace(0, len(order) - 1, num_examples).astype(int)]
    return without_label_lists(featurizer, state, np.setdiff1d(order, kept).tolist())


def with_list_features(
    featurizer: Featurizer, state: MultiLabelState, features: np.ndarray, name_features: np.ndarray
) -> MultiLabelState:
    """The state with other features of the same examples and names.

    Args:
        featurizer: Has the meta-learned mapping; nothing is encoded.
        state: The state to start from; if it is tuned, its decisions are kept.
        features: Float32 ``(num_texts, num_views * dim)``.
        name_features: Float32 ``(num_labels, dim)``.
    """
    support = replace(state.support, features=features)
    changed = replace(state, support=support, name_features=name_features)
    return solved_lists(plain_mapping(featurizer.model.mapping), changed)


def _scores(
    featurizer: Featurizer,
    state: MultiLabelState,
    features: tuple[np.ndarray, np.ndarray],
    removed: np.ndarray,
    left_out: np.ndarray,
) -> np.ndarray:
    """Scores of left-out texts by a mapping without ``removed``, ``(num_left_out, C)``."""
    of_texts, of_names = features
    support = replace(state.support, features=of_texts)
    known = replace(state, support=support, name_features=of_names)
    solved = without_label_lists(featurizer, known, removed.tolist())
    return solved.solution.scores(of_texts[left_out])


def _chance(targets: np.ndarray) -> float:
    """The mean log probability of the labels of texts by their own shares."""
    shares = targets.mean(axis=0)
    shares = shares[(shares > 0) & (shares < 1)]
    return float((shares * np.log(shares) + (1 - shares) * np.log1p(-shares)).sum())


def _stretch(few: np.ndarray, all_but_one: np.ndarray, targets: np.ndarray) -> tuple[float, float]:
    """What turns scores by mappings of the folds into such as the mapping of all examples gives.

    Both are known for the encoder as it is: the factor and the summand make the mean scores of labels that
    texts have and of those they have not the same.
    """
    has = targets > 0
    if has.all() or not has.any():
        return 1.0, 0.0
    (own, other), (own_after, other_after) = ((s[has].mean(), s[~has].mean()) for s in (few, all_but_one))
    factor = float(np.clip((own_after - other_after) / max(own - other, 1e-6), 1.0, _MOST_STRETCH))
    return factor, float(other_after - factor * other)
