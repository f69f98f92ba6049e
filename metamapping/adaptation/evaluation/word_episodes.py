"""Episodes of named entities: sentences of which every word has a label, scored by their entities.

What an episode's support sentences tell about its types is what a task's examples tell (``entity_types``),
and the entities of its queries are found as a task finds them.

    outcome = score_words(mapping, plain_mapping(mapping), space, names, features.of_sentence, episode)
    outcome.score                               # micro-F1 of whole entities
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import numpy as np

from metamapping.adaptation.algebra.closed_form import solve
from metamapping.adaptation.algebra.entity_types import MIN_ENTITY_PROBABILITY, fit_types, word_scores
from metamapping.adaptation.algebra.support import Support
from metamapping.adaptation.entity_scores import Span, entity_f1, entity_spans
from metamapping.adaptation.scores import confused_entities
from metamapping.episodes.label_space import LabelSpace
from metamapping.episodes.sampler import Episode
from metamapping.models.mapping import MetaMapping
from metamapping.models.separate_entities import are_separate
from metamapping.rounds.failures import EpisodeOutcome
from metamapping.runtime.mapping import LearnedMapping

FeaturesOfSentence = Callable[[int], np.ndarray]


def score_words(
    mapping: MetaMapping,
    learned: LearnedMapping,
    space: LabelSpace,
    names: np.ndarray,
    features_of: FeaturesOfSentence,
    episode: Episode,
) -> EpisodeOutcome:
    """Score an episode by the micro-F1 of its queries' entities.

    Args:
        mapping: The meta-learned mapping.
        learned: The same, as the runtime knows it.
        space: A label space of the task type ``ner``.
        names: Features of all entity types' names, ``(num_types, d)``.
        features_of: Gives the features of the words of a sentence, ``(num_words, d)``, by its row.
        episode: The episode.

    Returns:
        What happened to the queries.
    """
    assert space.tags is not None
    names = names[[0, *episode.labels]]
    names[0] = 0.0  # "outside" has no name
    support = _support(space, features_of, episode)
    solution = solve(mapping, names, np.arange(len(names)) == 0, support)
    is_separate = are_separate(support.targets, support.offsets)
    to_types = fit_types(learned, names, support)
    entity_types = [space.labels[c] for c in episode.labels]
    gold: set[Span] = set()
    predicted: set[Span] = set()
    for sentence, row in enumerate(episode.query):
        found = word_scores(solution, to_types, features_of(row)).entities(
            scale=learned.inverse_temperature,
            is_separate=is_separate,
            min_probability=MIN_ENTITY_PROBABILITY if support.num_examples else 0.0,
        )
        predicted |= {(sentence, first, end, entity_types[slot - 1]) for first, end, slot, _ in found}
        gold |= {span for span in entity_spans(sentence, space.tags[row]) if span[3] in entity_types}
    return EpisodeOutcome(
        tuple(entity_types),
        score=entity_f1(gold, predicted),
        gold=Counter(span[3] for span in gold),
        confused=Counter(confused_entities(gold, predicted)),
    )


def _support(space: LabelSpace, features_of: FeaturesOfSentence, episode: Episode) -> Support:
    """The words of an episode's support sentences; types outside of the episode are "outside"."""
    assert space.word_labels is not None
    slot_of = np.zeros(len(space.labels) + 1, np.int32)
    slot_of[episode.labels + 1] = 1 + np.arange(len(episode.labels))
    features = [features_of(row) for row in episode.support]
    targets = [slot_of[space.word_labels[row]] for row in episode.support]
    # Without shots there is no sentence to tell how wide a word's features are.
    no_word = features_of(int(episode.query[0]))[:0]
    return Support(
        texts=(None,) * len(features),
        text_pairs=None,
        features=np.concatenate([no_word, *features]),
        targets=np.concatenate([np.zeros(0, np.int32), *targets]),
        offsets=np.cumsum([0, *map(len, features)]),
    )
