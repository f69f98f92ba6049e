"""Episodes of sources with grades: predicted as a user's task with an order would be.

The score stays accuracy; the mean absolute error and the quadratic kappa are measured as well.

    predicted = predict_grades(space.task_type, labels, solution, support, query, inverse_temperature=10.0)
    measures = grade_measures(targets, predicted, num_grades=5)
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from metamapping.adaptation.algebra.calibration import Calibration, calibrate
from metamapping.adaptation.algebra.solution import Solution
from metamapping.adaptation.algebra.support import Support
from metamapping.adaptation.grade_scores import mean_absolute_error, quadratic_kappa
from metamapping.adaptation.solving import grade_cuts_of
from metamapping.adaptation.state import TaskState
from metamapping.config.sources import TaskType

MAE, KAPPA = "MAE", "quadratic kappa"


def predict_grades(
    task_type: TaskType,
    labels: tuple[str, ...],
    solution: Solution,
    support: Support,
    query: np.ndarray,
    *,
    inverse_temperature: float,
) -> np.ndarray:
    """Predict the grades of texts.

    Args:
        task_type: Of the source.
        labels: The grades in their order.
        solution: The mapping of the task, mixed with logistic regression where that is done.
        support: The examples that it was computed from; without any, the names decide.
        query: Features of the texts, ``(num_texts, num_views * dim)``.
        inverse_temperature: The meta-learned τ.

    Returns:
        Slots, int ``(num_texts,)``.
    """
    calibration = Calibration(inverse_temperature)
    if solution.ridge is not None and support.num_examples:
        calibration = calibrate(solution, support, learned_scale=inverse_temperature)
    # The features of the names are part of the solution already.
    no_features = np.zeros((len(labels), 0), np.float32)
    state = TaskState(task_type, labels, labels, no_features, support, solution, calibration, is_ordinal=True)
    return replace(state, grade_cuts=grade_cuts_of(state)).best(solution.scores(query))


def grade_measures(targets: np.ndarray, predicted: np.ndarray, num_grades: int) -> dict[str, float]:
    """The mean absolute error in grades, and Cohen's kappa with quadratic weights.

    Args:
        targets: The true slots, ``(num_texts,)``.
        predicted: The predicted slots, ``(num_texts,)``.
        num_grades: The number of grades.
    """
    table = np.zeros((1, num_grades, num_grades))
    np.add.at(table[0], (targets, predicted), 1)
    return {MAE: float(mean_absolute_error(table)[0]), KAPPA: float(quadratic_kappa(table)[0])}
