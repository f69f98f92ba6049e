"""Word ridge: α and λ of a named-entity task, fitted to its own sentences.

What meta-training learned suits texts like those it saw. Far from them, where entity types are of another
kind, the examples deserve more trust. How much can be measured: by how well a sentence is predicted from the
others. As for texts (``fitted_ridge``), the task's α and λ are the mean of a grid under posterior weights:
the likelihood of those predictions times a prior of α around the learned one. Words of a sentence predict one
another, so they are left out together, and together count as one word. The figures:
docs/experiments/word-strengths.md.

Allen's residuals (see ``fitted_ridge``) in blocks: with ``C = (X Xᵀ + λI)⁻¹`` and the dual ``D`` those of a
sentence s are ``(C_ss)⁻¹ D_s``. This is NumPy in float64, one task at a time; texts are fitted in TensorFlow,
because training back-propagates through their fit.

    alpha, ridge = fit_word_hyperparameters(features, targets, offsets, roots, prior, **learned)
"""

from __future__ import annotations

import math

import numpy as np

from metamapping.models.solvers.vector_layout import ALPHA_GRID

# The grid's values of λ, as multiples of the learned one. Those of α are ALPHA_GRID.
WORD_RIDGE_FACTORS = (1 / 27, 1 / 9, 1 / 3, 1.0, 3.0)
# Multiple of τ. The learned τ suits types as in training; elsewhere left-out words are predicted with less
# certainty, and at the learned τ what a small λ learns would be mistaken for noise.
INVERSE_TEMPERATURE_FACTOR = 0.5
# More words than this add nothing to the fit: whole sentences are taken, evenly spaced.
MAX_WORDS = 512


def fit_word_hyperparameters(
    features: np.ndarray,
    targets: np.ndarray,
    offsets: np.ndarray,
    roots: np.ndarray,
    prior: np.ndarray,
    *,
    alpha: float,
    alpha_spread: float,
    ridge: float,
    inverse_temperature: float,
) -> tuple[float, float]:
    """The α and λ of a task.

    Args:
        features: Features of the words, ``(N, d)``.
        targets: Label slots, int ``(N,)``.
        offsets: Sentence s has the words ``offsets[s]:offsets[s + 1]``.
        roots: Square roots of the words' weights in the regression, ``(N,)``.
        prior: ``(d + 1, C)``.
        alpha: The learned α.
        alpha_spread: Standard deviation of tasks' own α around it.
        ridge: The learned λ of words.
        inverse_temperature: The learned τ.

    Returns:
        α and λ; the learned ones where no label occurs in two sentences.
    """
    sentence_of = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
    kept = _words_of_evenly_spaced_sentences(sentence_of)
    features, targets, sentence_of, roots = (each[kept] for each in (features, targets, sentence_of, roots))
    is_evidence = _occurs_in_two_sentences(targets, sentence_of, prior.shape[1])
    if not is_evidence.any():
        return alpha, ridge
    by_labels, by_prior = leave_sentences_out(features, targets, sentence_of, roots, prior, ridge)
    log_posterior = np.empty((len(WORD_RIDGE_FACTORS), len(ALPHA_GRID)))
    # One α after another: with many types the scores of the whole grid would take much memory.
    for a, prior_weight in enumerate(ALPHA_GRID):
        logits = INVERSE_TEMPERATURE_FACTOR * inverse_temperature * (by_labels + prior_weight * by_prior)
        log_posterior[:, a] = _log_likelihood(logits, targets, sentence_of, is_evidence)
    log_posterior -= 0.5 * ((np.asarray(ALPHA_GRID) - alpha) / alpha_spread) ** 2
    posterior = np.exp(log_posterior - log_posterior.max())
    posterior /= posterior.sum()
    factor = math.exp((posterior * np.log(WORD_RIDGE_FACTORS)[:, None]).sum())
    return float((posterior * ALPHA_GRID).sum()), factor * ridge


def leave_sentences_out(
    features: np.ndarray,
    targets: np.ndarray,
    sentence_of: np.ndarray,
    roots: np.ndarray,
    prior: np.ndarray,
    ridge: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Scores of each word by the mapping of all other sentences, for each λ of the grid.

    Args:
        features: Features of the words, ``(N, d)``.
        targets: Label slots, int ``(N,)``.
        sentence_of: The sentence of each word, int ``(N,)``.
        roots: Square roots of the words' weights in the regression, ``(N,)``.
        prior: ``(d + 1, C)``.
        ridge: The learned λ, which the grid multiplies.

    Returns:
        Two arrays ``(R, N, C)``. The scores are linear in α: the first plus α times the second.
    """
    num_labels = prior.shape[1]
    roots = roots[:, None].astype(np.float64)
    weighted = roots * features
    centred = np.eye(num_labels)[targets] - 1.0 / num_labels
    # The dual is that of the labels, minus α times that of the prior's scores.
    right = roots * np.concatenate([centred, features @ prior[:-1] + prior[-1]], axis=1)
    # One eigendecomposition gives what is needed of C for every λ.
    values, vectors = np.linalg.eigh(weighted @ weighted.T)
    rotated = vectors.T @ right
    words_of = [np.flatnonzero(sentence_of == sentence) for sentence in np.unique(sentence_of)]
    by_labels, by_prior = np.empty((2, len(WORD_RIDGE_FACTORS), *centred.shape))
    for r, factor in enumerate(WORD_RIDGE_FACTORS):
        inverse_values = 1.0 / (np.maximum(values, 0.0) + factor * ridge)
        duals = vectors @ (inverse_values[:, None] * rotated)
        for words in words_of:
            own = vectors[words]
            residuals = np.linalg.solve((own * inverse_values) @ own.T, duals[words]) / roots[words]
            by_labels[r, words] = centred[words] - residuals[:, :num_labels]
            by_prior[r, words] = residuals[:, num_labels:]
    return by_labels, by_prior


def _words_of_evenly_spaced_sentences(sentence_of: np.ndarray) -> np.ndarray:
    """The numbers of the words of as many whole sentences as hold about ``MAX_WORDS``, in order."""
    sentences = np.unique(sentence_of)
    step = max(1.0, len(sentence_of) / MAX_WORDS)
    kept = sentences[np.unique(np.arange(0, len(sentences), step).astype(int))]
    return np.flatnonzero(np.isin(sentence_of, kept))


def _occurs_in_two_sentences(targets: np.ndarray, sentence_of: np.ndarray, num_labels: int) -> np.ndarray:
    """Whether a word's label occurs in another sentence too, from which it can be predicted: ``(N,)``."""
    pairs = np.unique(np.stack([targets, sentence_of]), axis=1)
    occurs: np.ndarray = np.bincount(pairs[0], minlength=num_labels)[targets] > 1
    return occurs


def _log_likelihood(
    logits: np.ndarray, targets: np.ndarray, sentence_of: np.ndarray, is_evidence: np.ndarray
) -> np.ndarray:
    """The sum over sentences of the mean over their words of evidence: ``(R,)`` of logits ``(R, N, C)``."""
    logits = logits[:, is_evidence]
    logits = logits - logits.max(axis=-1, keepdims=True)
    of_targets = np.take_along_axis(logits, targets[is_evidence][None, :, None], axis=-1)[..., 0]
    likelihood = of_targets - np.log(np.exp(logits).sum(axis=-1))
    sentences = sentence_of[is_evidence]
    num_words = np.bincount(sentences)[sentences]
    total: np.ndarray = (likelihood / num_words).sum(axis=-1)
    return total
