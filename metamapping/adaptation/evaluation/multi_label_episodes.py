"""Episodes of sources whose texts have any number of labels: each scored as a user's task would be.

As in a task, α, λ, the views, sigmoids and thresholds are fitted to the episode's own support. The score of
an episode is macro-F1 over its labels; micro-F1 is measured as well.

    outcome = score_lists(learned, space, names, support, query, episode)
    outcome.score, outcome.measures["micro-F1"]
"""

from __future__ import annotations

from collections import Counter

import numpy as np

from metamapping.adaptation.algebra.calibration import Calibration
from metamapping.adaptation.algebra.solution import Solution
from metamapping.adaptation.algebra.support import text_support
from metamapping.adaptation.multi_label.label_decisions import undecided
from metamapping.adaptation.multi_label.multi_label_state import MultiLabelState, solved_lists
from metamapping.episodes.label_space import LabelSpace
from metamapping.episodes.sampler import Episode
from metamapping.models.view_layout import NUM_VIEWS
from metamapping.rounds.failures import EpisodeOutcome, Pair
from metamapping.runtime.mapping import LearnedMapping

MACRO_F1, MICRO_F1 = "macro-F1", "micro-F1"


def score_lists(
    learned: LearnedMapping,
    space: LabelSpace,
    names: np.ndarray,
    support: np.ndarray,
    query: np.ndarray,
    episode: Episode,
) -> EpisodeOutcome:
    """Score one episode.

    Args:
        learned: The meta-learned mapping.
        space: The label space.
        names: Features of the names of all labels of the space, ``(num_labels, dim)``.
        support: Features of the support texts, ``(num_texts, num_views * dim)``.
        query: Those of the queries.
        episode: The episode.
    """
    labels = tuple(space.labels[label] for label in episode.labels)
    targets = space.indicators(episode.support, episode.labels)
    nothing = np.zeros((support.shape[1] + 1, len(labels)), np.float32)
    empty = MultiLabelState(
        task_type=space.task_type,
        labels=labels,
        names=tuple(space.label_names[label] for label in episode.labels),
        name_features=names[episode.labels],
        support=text_support(support, targets, NUM_VIEWS),
        solution=Solution(nothing, nothing, ridge=1.0),
        calibration=Calibration(learned.inverse_temperature),
        decisions=undecided(len(labels), learned.inverse_temperature),
    )
    state = solved_lists(learned, empty)
    chosen = state.decisions.chosen(state.probabilities(query))
    return list_outcome(labels, space.indicators(episode.query, episode.labels), chosen)


def list_outcome(labels: tuple[str, ...], gold: np.ndarray, chosen: np.ndarray) -> EpisodeOutcome:
    """What happened to an episode's queries.

    Args:
        labels: The episode's labels.
        gold: Bool ``(num_queries, num_labels)``.
        chosen: The predictions, bool ``(num_queries, num_labels)``.
    """
    missed, made_up = (gold & ~chosen).sum(axis=0), (chosen & ~gold).sum(axis=0)
    confused: Counter[Pair] = Counter()
    for slot, label in enumerate(labels):
        if missed[slot]:
            confused[label, None] = int(missed[slot])
        if made_up[slot]:
            confused[None, label] = int(made_up[slot])
    correct, total = (gold & chosen).sum(axis=0), gold.sum(axis=0) + chosen.sum(axis=0)
    occurs = total > 0
    return EpisodeOutcome(
        labels,
        score=float((2 * correct[occurs] / total[occurs]).mean()) if occurs.any() else 1.0,
        gold=Counter({label: int(count) for label, count in zip(labels, gold.sum(axis=0), strict=True)}),
        confused=confused,
        measures={MICRO_F1: float(2 * correct.sum() / total.sum()) if occurs.any() else 1.0},
    )
