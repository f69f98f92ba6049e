"""Solving: the solution and the calibration that follow from a task's labels and support.

state = solved(featurizer, state)
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from metamapping.adaptation.algebra import runtime_solution
from metamapping.adaptation.algebra.blas_threads import one_blas_thread
from metamapping.adaptation.algebra.calibration import Calibration, calibrate, leave_out
from metamapping.adaptation.algebra.entity_types import fit_types
from metamapping.adaptation.algebra.folds import folds_of
from metamapping.adaptation.algebra.mixture import mix, mixed_left_out
from metamapping.adaptation.algebra.plain_mapping import plain_mapping
from metamapping.adaptation.algebra.solution import Solution
from metamapping.adaptation.algebra.support import Support
from metamapping.adaptation.featurizer import Featurizer
from metamapping.adaptation.grades import GradeCuts, fit_grade_cuts, share_of_cuts
from metamapping.adaptation.state import TaskState
from metamapping.corpus.tags import OUTSIDE
from metamapping.publishing.loaded_model import TaskMapping
from metamapping.runtime.mapping import LearnedMapping

# NumPy's threads take two to three times the processor's time of one for 25 to 500 examples, and twice for
# 1,000: they wait for one another without sleeping.
_MAX_ROWS_ON_ONE_THREAD = 1_000


def solved(featurizer: Featurizer, state: TaskState) -> TaskState:
    """The state with the solution and the calibration that follow from its labels and support."""
    if len(state.support.targets) > _MAX_ROWS_ON_ONE_THREAD:
        return _solved(featurizer, state)
    with one_blas_thread():
        return _solved(featurizer, state)


def _solved(featurizer: Featurizer, state: TaskState) -> TaskState:
    mapping, support = featurizer.model.mapping, state.support
    is_outside = np.asarray([state.is_ner and label == OUTSIDE for label in state.labels])
    solution = _solution(mapping, state.name_features, is_outside, support)
    learned_scale = float(mapping.inverse_temperature)
    if mapping.solver == "ridge" and not state.is_ner and support.num_examples:
        solution = mix(solution, support, inverse_temperature=learned_scale)
    # Calibration leaves examples out. That needs examples, it needs a ridge regression, and it needs
    # independent examples, which the words of one sentence are not. Otherwise the learned τ is used.
    if state.is_ner or not support.num_examples or solution.ridge is None:
        calibration = Calibration(learned_scale)
    else:
        calibration = calibrate(solution, support, learned_scale=learned_scale)
    if state.tuning is not None and support.num_examples:
        calibration = replace(calibration, scale=calibration.scale * state.tuning.scale_factor)
    types = fit_types(plain_mapping(mapping), state.name_features, support) if state.is_ner else None
    outside = None if state.outside is None else replace(state.outside, threshold=None)
    state = replace(
        state, solution=solution, calibration=calibration, grade_cuts=None, types=types, outside=outside
    )
    return replace(state, grade_cuts=grade_cuts_of(state)) if state.is_ordinal else state


def grade_cuts_of(state: TaskState) -> GradeCuts | None:
    """Fit the cuts between the grades of a task.

    Args:
        state: A solved task of grades.

    Returns:
        The cuts; ``None`` if no example can be left out.
    """
    solution, support = state.solution, state.support
    if solution.ridge is None or not support.num_examples or np.bincount(support.targets).max() < 2:
        return None
    mixed = mixed_left_out(solution, support)
    left_out = leave_out(solution, support) if mixed is None else mixed
    scores, targets = left_out.scores, support.targets[left_out.rows]
    folds = folds_of(support.features, support.targets)[left_out.rows]
    by_scores = state.calibration.probabilities(scores)
    share = share_of_cuts(scores, by_scores, targets, folds)
    cuts = fit_grade_cuts(scores, targets)
    # A tuned encoder knows the examples too well, which makes the cuts too sharp just as the scale.
    factor = 1.0 if state.tuning is None else state.tuning.scale_factor
    return replace(cuts, slope=cuts.slope * factor, share=share)


def _solution(
    mapping: TaskMapping, name_features: np.ndarray, is_outside: np.ndarray, support: Support
) -> Solution:
    """The solution by the implementation that fits how the encoder was loaded."""
    if isinstance(mapping, LearnedMapping):
        return runtime_solution.solve(mapping, name_features, is_outside, support)
    from metamapping.adaptation.algebra import closed_form  # these import TensorFlow
    from metamapping.models.mapping import MetaMapping

    assert isinstance(mapping, MetaMapping)
    return closed_form.solve(mapping, name_features, is_outside, support)
