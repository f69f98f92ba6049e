"""Explanation: which examples a prediction rests on, and how much each of them contributes.

explanation = explain(state, features, num_examples=3)      # features of one text, (1, text_dim)
explanation[0].text, explanation[0].weight
"""

from __future__ import annotations

import numpy as np

from metamapping.adaptation.results import Explanation, Neighbour
from metamapping.adaptation.state import TaskState


def explain(state: TaskState, features: np.ndarray, *, num_examples: int) -> Explanation:
    """Explain the prediction for one text by the examples that are most similar to it.

    Args:
        state: A task of texts.
        features: Float32 ``(1, text_dim)``, the features of the text.
        num_examples: How many examples to return.

    Returns:
        The most similar examples first.

    Raises:
        ValueError: The task's solver is not a ridge regression.
    """
    x = features[0]
    support, solution = state.support, state.solution
    label = int(solution.scores(x).argmax())
    similarity = support.first_view(support.features) @ support.first_view(features)[0]
    kernel = solution.weighted_features(support.features) @ solution.weighted_features(features)[0]
    weights = (kernel + 1.0) * solution.dual_weights(support, label)
    most_similar = np.argsort(-similarity, kind="stable")[:num_examples]
    neighbours = [
        Neighbour(
            text=support.texts[i],
            label=state.labels[support.targets[i]],
            similarity=float(similarity[i]),
            weight=float(weights[i]),
            index=int(i),
            text_pair=None if support.text_pairs is None else support.text_pairs[i],
        )
        for i in most_similar
    ]
    return Explanation(
        neighbours,
        label=state.labels[label],
        score=float(solution.scores(x)[label]),
        prior=float(x @ solution.scoring_prior[:-1, label] + solution.scoring_prior[-1, label]),
    )
