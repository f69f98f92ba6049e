"""Baselines: what something simpler scores on the episodes by which a model is evaluated.

Logistic regression, as scikit-learn has it by default, on the first view of the features: what people do with
a pretrained encoder. It reads no label names, so that it has no zero-shot score. For words the classes are
balanced: most words are outside of entities, and few examples would otherwise predict nothing else.

    scores = score_logistic_regression(learner.encoder, spaces, spec, seed=config.seed)
    scores["hotel", 4]                           # the scores of all 4-shot episodes
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence

import numpy as np

from metamapping.adaptation.entity_scores import Span, entity_f1, entity_spans
from metamapping.adaptation.evaluation.evaluation import Scores, draw_episodes
from metamapping.adaptation.evaluation.multi_label_episodes import list_outcome
from metamapping.config.episodes import EvaluationSpec
from metamapping.corpus.ragged import Ragged
from metamapping.corpus.tags import OUTSIDE
from metamapping.episodes.label_space import LabelSpace
from metamapping.episodes.sampler import Episode
from metamapping.models.encoder import Encoder

_MAX_ITERATIONS = 1_000


def score_logistic_regression(
    encoder: Encoder,
    spaces: Sequence[LabelSpace],
    spec: EvaluationSpec,
    *,
    seed: int,
    on_progress: Callable[[str, int], None] | None = None,
) -> Scores:
    """Score logistic regression on the same episodes as ``evaluation.evaluate``.

    Args:
        encoder: The encoder.
        spaces: The label spaces of the held-out sources.
        spec: Ways, shots, queries and number of episodes; zero shots are left out.
        seed: Determines the episodes, together with each source's name.
        on_progress: Called with a source's name and the number of texts just encoded.

    Returns:
        The score of each episode, 0 to 1, by source name and number of shots: accuracy, and for ``ner`` the
        micro-F1 of whole entities, of which each word is labelled by itself. Where texts have any number of
        labels, macro-F1 of one regression for each label, which has the texts of probability 0.5 and more.
    """
    scores: Scores = {}
    for space in spaces:
        drawn = {shots: e for shots, e in draw_episodes(space, spec, seed=seed).items() if shots > 0}
        if not drawn:
            continue
        used = [rows for episodes in drawn.values() for e in episodes for rows in (e.support, e.query)]
        features = _Features(encoder, space, np.unique(np.concatenate(used)), on_progress)
        score = _text_score
        if space.is_ner or space.is_multi_label:
            score = _word_score if space.is_ner else _list_score
        for shots, episodes in drawn.items():
            scores[space.source, shots] = [score(space, features, episode) for episode in episodes]
    return scores


class _Features:
    """The first view of the texts, or of the words, of some rows."""

    def __init__(
        self,
        encoder: Encoder,
        space: LabelSpace,
        rows: np.ndarray,
        on_progress: Callable[[str, int], None] | None,
    ) -> None:
        starts = None if space.word_starts is None else space.word_starts.take(rows)
        views = encoder.encode(
            space.token_ids.take(rows),
            space.segment_ids.take(rows),
            starts,
            on_progress=None if on_progress is None else lambda n: on_progress(space.source, n),
        )
        self._items = views[:, : encoder.dim]
        self._place_of = {int(row): place for place, row in enumerate(rows)}
        self._words = None if starts is None else Ragged(np.arange(len(views)), starts.offsets)

    def texts(self, rows: np.ndarray) -> np.ndarray:
        """Float32 ``(num_rows, dim)``."""
        return self._items[[self._place_of[int(row)] for row in rows]]

    def words(self, row: int) -> np.ndarray:
        """The words of a row: float32 ``(num_words, dim)``."""
        assert self._words is not None
        items: np.ndarray = self._items[self._words[self._place_of[int(row)]]]
        return items


def _text_score(space: LabelSpace, features: _Features, episode: Episode) -> float:
    assert space.label_of is not None
    labels = space.label_of[episode.support]
    predicted = _fit_and_predict(features.texts(episode.support), labels, features.texts(episode.query))
    return float((predicted == space.label_of[episode.query]).mean())


def _list_score(space: LabelSpace, features: _Features, episode: Episode) -> float:
    x, queries = features.texts(episode.support), features.texts(episode.query)
    targets = space.indicators(episode.support, episode.labels)
    chosen = np.stack([_fit_and_predict(x, column, queries) for column in targets.T], axis=1)
    labels = tuple(space.labels[label] for label in episode.labels)
    return list_outcome(labels, space.indicators(episode.query, episode.labels), chosen).score


def _word_score(space: LabelSpace, features: _Features, episode: Episode) -> float:
    assert space.tags is not None
    assert space.word_labels is not None
    # Entities of other types are "outside", which is 0.
    known = np.isin(np.arange(len(space.labels) + 1), episode.labels + 1)
    words = np.concatenate([features.words(row) for row in episode.support])
    targets = np.concatenate([space.word_labels[row] for row in episode.support])
    queries = [features.words(row) for row in episode.query]
    targets = np.where(known[targets], targets, 0)
    predicted = _fit_and_predict(words, targets, np.concatenate(queries), is_balanced=True)
    names = [OUTSIDE, *(f"I-{label}" for label in space.labels)]
    kinds = {space.labels[label] for label in episode.labels}
    gold: set[Span] = set()
    found: set[Span] = set()
    ends = np.cumsum([len(words) for words in queries])
    for sentence, (row, labels) in enumerate(zip(episode.query, np.split(predicted, ends[:-1]), strict=True)):
        found |= entity_spans(sentence, [names[label] for label in labels])
        gold |= {span for span in entity_spans(sentence, space.tags[row]) if span[3] in kinds}
    return entity_f1(gold, found)


def _fit_and_predict(
    x: np.ndarray, targets: np.ndarray, queries: np.ndarray, *, is_balanced: bool = False
) -> np.ndarray:
    if len(np.unique(targets)) < 2:  # such as words that are all "outside"
        return np.full(len(queries), targets[0])
    # scikit-learn is imported here: it takes a second, and Keras must not find it first.
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        weights = "balanced" if is_balanced else None
        fitted = LogisticRegression(max_iter=_MAX_ITERATIONS, class_weight=weights).fit(x, targets)
    return np.asarray(fitted.predict(queries))
