"""Mixture: multinomial logistic regression mixed with the ridge regression of a task of texts.

With many labels logistic regression is better, with few and misleading names ridge regression is. Both are
linear in the same features and both start from the scores of the label names, so a weighted mean of their
logits is again one mapping ``M = Wᵀx + b``. The weight is chosen by how well both and their mixtures predict
examples that were left out: one of each label at a time, in at most ``MAX_FOLDS`` folds. With few examples
that is little evidence; it is shrunk towards ``C / (C + 5)`` for C labels.

The logistic regression needs no search of its own. What the ridge fit says about the task holds for it too:
the names' offset has the same weight, the views have the same kernel, and λ is a tenth of the ridge's. The
figures: docs/experiments/logistic.md.

    solution = mix(ridge_solution, support, inverse_temperature=10.0)

Notation: ``N`` items, ``C`` labels, ``F`` folds.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from metamapping.adaptation.algebra.blas_threads import one_blas_thread
from metamapping.adaptation.algebra.folds import folds_of
from metamapping.adaptation.algebra.likelihood import fit_scale, log_likelihood
from metamapping.adaptation.algebra.logistic import Basis, fit
from metamapping.adaptation.algebra.solution import LeftOutScores, LogisticPart, Solution, view_roots
from metamapping.adaptation.algebra.support import Support
from metamapping.models.probabilities import expit, softmax

# λ of the logistic regression as a multiple of the ridge's.
RIDGE_FACTOR = 0.1
# Left-out predictions are made in at most this many folds.
MAX_FOLDS = 10
# Above these sizes ridge regression alone is used: the scores of all items (200 MB in float32), and the
# coefficients of the fit, of which L-BFGS keeps some twenty copies in float64.
MAX_SCORES, MAX_COEFFICIENTS = 50_000_000, 2_000_000
# Up to this many scores in all folds together every fold is fitted; above, as many as fit, at least one.
MAX_LEFT_OUT_SCORES = 1_000_000
# Up to the first number of scores the fit is computed in float64, above in float32, and up to the second more
# exactly than above. At a tolerance of 1e-5 logits are within 0.05 of the solution, at 1e-10 within 0.0001.
# The folds need no more than the former: they start from the fit of all items and are close to it.
_MAX_DOUBLE_SCORES, _MAX_PRECISE_SCORES = 100_000, 1_000_000
_FOLD_TOLERANCE = 1e-5
# The logit of the mixture's weight has the prior mean ln(C / 5) and this standard deviation.
_MANY_LABELS, _LOGIT_SPREAD = 5.0, 1.5
_LOGITS = np.linspace(-4.0, 4.0, 17)


@dataclass(frozen=True)
class _Task:
    """A task of texts as its ridge regression sees it.

    Attributes:
        basis: The items' weighted features with a constant 1, so that ``B Bᵀ`` is the kernel.
        targets: Int ``(N,)``, label slots.
        offset: ``(N, C)``, the logits of the label names alone.
        residuals: E, ``(N, C)``, what the ridge regression leaves of the centred targets.
        ridge: λ of the ridge regression.
        inverse_temperature: τ.
    """

    basis: Basis
    targets: np.ndarray
    offset: np.ndarray
    residuals: np.ndarray
    ridge: float
    inverse_temperature: float

    @property
    def Y(self) -> np.ndarray:
        """The centred targets, ``(N, C)``."""
        num_labels = self.offset.shape[1]
        centred: np.ndarray = (self.targets[:, None] == np.arange(num_labels)) - 1.0 / num_labels
        return centred


def mix(solution: Solution, support: Support, *, inverse_temperature: float) -> Solution:
    """Add a logistic regression to the ridge regression of a task of texts.

    Args:
        solution: The ridge regression, with the hyperparameters fitted to the task.
        support: The examples that it was computed from, at least one.
        inverse_temperature: The meta-learned τ.

    Returns:
        The solution with its logistic part; unchanged if the task is too large for one.
    """
    num_items, (width, num_labels) = len(support.targets), solution.weights.shape
    if num_items * num_labels > MAX_SCORES or min(num_items, width) * num_labels > MAX_COEFFICIENTS:
        return solution
    if num_items * num_labels > _MAX_PRECISE_SCORES:
        return _mix(solution, support, inverse_temperature)
    with one_blas_thread():
        return _mix(solution, support, inverse_temperature)


def _mix(solution: Solution, support: Support, inverse_temperature: float) -> Solution:
    assert solution.ridge is not None
    num_items, (width, num_labels) = len(support.targets), solution.weights.shape
    dtype, tolerance = _precision(num_items * num_labels)
    H = np.ones((num_items, width), dtype)
    H[:, :-1] = solution.weighted_features(support.features)
    prior_scores = support.features @ solution.prior[:-1] + solution.prior[-1]
    centred = (support.targets[:, None] == np.arange(num_labels)) - 1.0 / num_labels
    task = _Task(
        Basis.of(H),
        support.targets,
        (inverse_temperature * prior_scores).astype(dtype),
        (centred - solution.solver_scores(support.features)).astype(dtype),
        solution.ridge,
        inverse_temperature,
    )
    ridge = RIDGE_FACTOR * solution.ridge
    coefficients = fit(task.basis, task.targets, task.offset, ridge=ridge, tolerance=tolerance)
    share, ridge_share, left_out = _weigh(task, support, coefficients, ridge)
    weights = _raw_weights(solution, task, H, coefficients, ridge)
    part = LogisticPart(weights, ridge, share, ridge_share, inverse_temperature)
    return replace(solution, logistic=part, left_out=left_out)


def left_out_of(solution: Solution, support: Support) -> np.ndarray | None:
    """What a mixture predicts for every example, by mappings without it.

    Args:
        solution: A mixture; that of a saved task is fitted once more.
        support: The examples that it was computed from.

    Returns:
        Scores ``(N, C)`` in the order of the examples; ``None`` if the solution is no mixture, no label has
        two examples, or there are too many examples to leave all of them out.
    """
    left_out = mixed_left_out(solution, support)
    if left_out is None or len(left_out.rows) < len(support.targets):
        return None
    scores = np.empty_like(left_out.scores)
    scores[left_out.rows] = left_out.scores
    return scores


def mixed_left_out(solution: Solution, support: Support) -> LeftOutScores | None:
    """What a mixture predicts for examples, by mappings without them.

    Args:
        solution: A mixture; that of a saved task is fitted once more.
        support: The examples that it was computed from.

    Returns:
        The scores of all examples, or of as many as a large task leaves out; ``None`` if the solution is no
        mixture or no label has two examples.
    """
    if solution.logistic is None:
        return None
    if solution.left_out is not None:
        return solution.left_out
    ridge = replace(solution, logistic=None)
    return mix(ridge, support, inverse_temperature=solution.logistic.inverse_temperature).left_out


def _precision(num_scores: int) -> tuple[type[np.floating], float]:
    """Data type and tolerance of a fit, by its number of items times labels."""
    if num_scores <= _MAX_DOUBLE_SCORES:
        return np.float64, 1e-10
    return np.float32, 1e-6 if num_scores <= _MAX_PRECISE_SCORES else 1e-5


def _raw_weights(
    solution: Solution, task: _Task, H: np.ndarray, coefficients: np.ndarray, ridge: float
) -> np.ndarray:
    """The logistic regression's weights of raw features, ``(width + 1, C)``, from its dual weights.

    They are computed from the dual weights and not from the coefficients, so that the shares of the examples
    add up to the logits however far the iterations went.
    """
    dual = -softmax(task.offset + task.basis.items @ coefficients[:, 0])
    dual[np.arange(len(dual)), task.targets] += 1.0
    change = H.T @ (dual / ridge)
    change[:-1] *= view_roots(solution.views, len(change) - 1)[:, None]
    weights: np.ndarray = task.inverse_temperature * solution.prior + change
    return weights.astype(np.float32)


def _weigh(
    task: _Task, support: Support, coefficients: np.ndarray, ridge: float
) -> tuple[float, float, LeftOutScores | None]:
    """The shares of both regressions, and the mixture's scores of left-out examples."""
    num_items, num_labels = task.offset.shape
    count = np.bincount(task.targets, minlength=num_labels)
    if count.max() < 2:
        share = float(expit(np.log(num_labels / _MANY_LABELS)))
        return share, 1.0 - share, None
    num_folds = min(MAX_FOLDS, int(count.max()))
    num_fitted = int(np.clip(MAX_LEFT_OUT_SCORES // (num_items * num_labels), 1, num_folds))
    folds = folds_of(support.features, task.targets) % num_folds
    rows = np.flatnonzero(folds < num_fitted)
    logistic = _logistic_left_out(task, ridge, coefficients, folds, num_fitted)[rows]
    ridge_logits = task.inverse_temperature * _ridge_left_out(task, folds, num_fitted)[rows]
    targets = task.targets[rows]
    # A label's only example, once left out, is evidence about nothing but the other labels.
    is_evidence = count[targets] > 1
    share, ridge_share = _shares(logistic[is_evidence], ridge_logits[is_evidence], targets[is_evidence])
    scores = (share * logistic + ridge_share * ridge_logits) / task.inverse_temperature
    return share, ridge_share, LeftOutScores(rows, scores)


def _logistic_left_out(
    task: _Task, ridge: float, coefficients: np.ndarray, folds: np.ndarray, num_fitted: int
) -> np.ndarray:
    """Logits of the items of the first folds by fits without their fold: ``(N, C)``, offset elsewhere."""
    fitted = fit(
        task.basis,
        task.targets,
        task.offset,
        ridge=ridge,
        weights=folds[:, None] != np.arange(num_fitted),
        start=coefficients,
        tolerance=_FOLD_TOLERANCE,
    )
    logits = task.offset.copy()
    for fold in range(num_fitted):
        items = np.flatnonzero(folds == fold)
        logits[items] += task.basis.items[items] @ fitted[:, fold]
    return logits


def _ridge_left_out(task: _Task, folds: np.ndarray, num_fitted: int) -> np.ndarray:
    """Scores of the items of the first folds by ridge regressions without their fold: ``(N, C)``.

    With ``C = (H Hᵀ + λI)⁻¹`` and the residuals ``E = Y − H V``, a ridge regression without the rows B
    leaves the residuals ``(λ C_BB)⁻¹ E_B`` on them.
    """
    shrinkage = 1.0 / (task.basis.spectrum + task.ridge)
    scores = task.Y
    for fold in range(num_fitted):
        items = np.flatnonzero(folds == fold)
        B = task.basis.items[items]
        scaled_inverse = np.eye(len(items)) - (B * shrinkage) @ B.T
        scores[items] -= np.linalg.solve(scaled_inverse, task.residuals[items])
    return scores


def _shares(logistic: np.ndarray, ridge: np.ndarray, targets: np.ndarray) -> tuple[float, float]:
    """What the logits of both regressions count for, which sums to 1.

    The weight is the posterior mean. Each regression's logits are first brought to the sharpness that fits
    the left-out items: with many labels those of the ridge are too flat, and it would lose for that reason
    alone. Items of different labels were left out together and are no independent evidence: beyond five
    labels their likelihood counts as that of five.
    """
    num_labels = logistic.shape[1]
    logistic_scale, ridge_scale = fit_scale(logistic, targets, 1.0), fit_scale(ridge, targets, 1.0)
    logistic, ridge, weights = logistic_scale * logistic, ridge_scale * ridge, expit(_LOGITS)
    likelihoods = [log_likelihood(w * logistic + (1.0 - w) * ridge, targets).sum() for w in weights]
    exponent = _MANY_LABELS / max(num_labels, _MANY_LABELS)
    log_posterior = exponent * np.asarray(likelihoods)
    log_posterior -= 0.5 * ((_LOGITS - np.log(num_labels / _MANY_LABELS)) / _LOGIT_SPREAD) ** 2
    weight = float(softmax(log_posterior) @ weights)
    # The sharpness of the sum is left to calibration: fitted twice, few examples would move it too far.
    share, ridge_share = weight * logistic_scale, (1.0 - weight) * ridge_scale
    return share / (share + ridge_share), ridge_share / (share + ridge_share)
