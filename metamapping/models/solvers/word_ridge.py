"""Words, fitted to the task: how much the prior and the examples count, from the support set alone.

What meta-training learned suits texts like those it saw. Far from them, where types are of another kind,
the examples deserve more trust than that; and how much shows in how well a sentence is predicted from the
others. As for texts (``ridge.py``), the task's α and λ are the mean of a grid, weighted by the likelihood
of those predictions and by how near α is to the learned one. Words of a sentence say much about one another:
they are left out together, and count together as one word. The figures: docs/decisions/word-strengths.md.

Left out together: Allen's residuals (``ridge.py``) by blocks. With ``C = (X Xᵀ + λI)⁻¹`` and the dual ``D``
those of a sentence s are ``(C_ss)⁻¹ D_s``.
"""

from __future__ import annotations

import math

import numpy as np

# The grid: multiples of the learned λ, and α from not at all to twice.
RIDGE_FACTORS = (1 / 27, 1 / 9, 1 / 3, 1.0, 3.0)
ALPHAS = (0.0, 0.25, 0.5, 1.0, 1.5, 2.0)
# Of τ, which is learned where types are as in training: elsewhere left-out words are less sure than that, and
# what a small λ learns would be taken for noise.
SHARPNESS = 0.5
# Of more words, those of some sentences, evenly, are enough to fit to.
MOST_WORDS = 512


def fit_to_sentences(
    features: np.ndarray,
    targets: np.ndarray,
    offsets: np.ndarray,
    roots: np.ndarray,
    prior: np.ndarray,
    *,
    alpha: float,
    alpha_spread: float,
    ridge: float,
    scale: float,
) -> tuple[float, float]:
    """α and λ of a task; the learned ones where no label stands in two sentences.

    ``features``: ``(N, d)``. ``targets``: label slots ``(N,)``. ``offsets``: sentence s has the words
    ``offsets[s]:offsets[s + 1]``. ``roots``: of the words' weights in the regression, ``(N,)``. ``prior``:
    ``(d + 1, C)``. The rest is what was learned: α and how far it usually lies off, λ and τ.
    """
    sentence_of = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
    some = _some(sentence_of)
    features, targets, sentence_of, roots = (each[some] for each in (features, targets, sentence_of, roots))
    tells = _stands_in_two(targets, sentence_of, prior.shape[1])
    if not tells.any():
        return alpha, ridge
    by_labels, by_prior = leave_sentences_out(features, targets, sentence_of, roots, prior, ridge)
    weights = np.empty((len(RIDGE_FACTORS), len(ALPHAS)))
    for a, of_prior in enumerate(ALPHAS):  # one after another: of many types the scores are large
        logits = SHARPNESS * scale * (by_labels + of_prior * by_prior)
        weights[:, a] = _log_likelihood(logits, targets, sentence_of, tells)
    weights -= 0.5 * ((np.asarray(ALPHAS) - alpha) / alpha_spread) ** 2
    mixture = np.exp(weights - weights.max())
    mixture /= mixture.sum()
    factor = math.exp((mixture * np.log(RIDGE_FACTORS)[:, None]).sum())
    return float((mixture * ALPHAS).sum()), factor * ridge


def leave_sentences_out(
    features: np.ndarray,
    targets: np.ndarray,
    sentence_of: np.ndarray,
    roots: np.ndarray,
    prior: np.ndarray,
    ridge: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Scores of each word by the mapping of all other sentences, for each λ: twice ``(R, N, C)``.

    They are linear in α: the first, and α times the second.
    """
    num_labels = prior.shape[1]
    roots = roots[:, None].astype(np.float64)
    weighted = roots * features
    centred = np.eye(num_labels)[targets] - 1.0 / num_labels
    # The dual is linear in α: of the labels, less α times that of the prior's scores.
    right = roots * np.concatenate([centred, features @ prior[:-1] + prior[-1]], axis=1)
    # One decomposition gives what is needed of C for every λ.
    values, vectors = np.linalg.eigh(weighted @ weighted.T)
    turned = vectors.T @ right
    words_of = [np.flatnonzero(sentence_of == sentence) for sentence in np.unique(sentence_of)]
    by_labels, by_prior = np.empty((2, len(RIDGE_FACTORS), *centred.shape))
    for r, factor in enumerate(RIDGE_FACTORS):
        shrunk = 1.0 / (np.maximum(values, 0.0) + factor * ridge)
        duals = vectors @ (shrunk[:, None] * turned)
        for words in words_of:
            own = vectors[words]
            residuals = np.linalg.solve((own * shrunk) @ own.T, duals[words]) / roots[words]
            by_labels[r, words] = centred[words] - residuals[:, :num_labels]
            by_prior[r, words] = residuals[:, num_labels:]
    return by_labels, by_prior


def _some(sentence_of: np.ndarray) -> np.ndarray:
    """The words of enough sentences, evenly, in order."""
    sentences = np.unique(sentence_of)
    step = max(1.0, len(sentence_of) / MOST_WORDS)
    kept = sentences[np.unique(np.arange(0, len(sentences), step).astype(int))]
    return np.flatnonzero(np.isin(sentence_of, kept))


def _stands_in_two(targets: np.ndarray, sentence_of: np.ndarray, num_labels: int) -> np.ndarray:
    """Whether a word's label stands in another sentence as well, from which it can be predicted: ``(N,)``."""
    pairs = np.unique(np.stack([targets, sentence_of]), axis=1)
    tells: np.ndarray = np.bincount(pairs[0], minlength=num_labels)[targets] > 1
    return tells


def _log_likelihood(
    logits: np.ndarray, targets: np.ndarray, sentence_of: np.ndarray, tells: np.ndarray
) -> np.ndarray:
    """The sum over sentences of the mean over their words that tell: ``(R,)`` of logits ``(R, N, C)``."""
    logits = logits[:, tells]
    logits = logits - logits.max(axis=-1, keepdims=True)
    right = np.take_along_axis(logits, targets[tells][None, :, None], axis=-1)[..., 0]
    likelihood = right - np.log(np.exp(logits).sum(axis=-1))
    words = np.bincount(sentence_of[tells])[sentence_of[tells]]
    total: np.ndarray = (likelihood / words).sum(axis=-1)
    return total
