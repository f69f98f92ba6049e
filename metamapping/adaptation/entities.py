"""Entities: the predictions for a text that is given as a string, as spans of its characters.

entities = find_entities(state, "Eve moved to London.", word_bounds(text), scores)
entities[0].text, entities[0].start, entities[0].end, entities[0].label       # "Eve", 0, 3, "PER"
"""

from __future__ import annotations

from collections.abc import Sequence

from metamapping.adaptation.algebra.entity_types import WordScores
from metamapping.adaptation.results import Entity
from metamapping.adaptation.state import TaskState


def find_entities(
    state: TaskState,
    text: str,
    bounds: Sequence[tuple[int, int]],
    scores: WordScores,
    threshold: float | None = None,
) -> list[Entity]:
    """Find the entities of one text.

    Adjacent words of the same type form one entity; where the task has separate entities, of any type.

    Args:
        state: A task of type ``ner``.
        text: The text.
        bounds: Start and end of each word of the text.
        scores: The scores of its words.
        threshold: Entities of a lower probability are left out. Default: that of ``TaskState.entities``.

    Returns:
        The entities in the order of the text.
    """
    entities = []
    for first, after, slot, probability in state.entities(scores, threshold):
        start, end = bounds[first][0], bounds[after - 1][1]
        entities.append(Entity(text[start:end], start, end, str(state.labels[slot]), probability))
    return entities
