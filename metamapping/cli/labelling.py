"""Add predictions to rows, part by part, so that the rows need not fit into memory.

labelling = Labelling(load_task(folder), Fields("text-classification"))
for row in labelling.rows(records.rows, on_progress=print):
    print(row["prediction"])
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from copy import copy
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from metamapping.cli.fields import Fields, without
from metamapping.cli.options import Backend
from metamapping.cli.progress import print_note
from metamapping.cli.records import ROWS_PER_PART
from metamapping.cli.rows import PREDICTION, Row, SpanList, check_columns_are_new
from metamapping.config.labels import label_text

if TYPE_CHECKING:  # it takes a second to import
    from metamapping import Entity, Mapping, MetaMapper

PROBABILITY = "probability"  # of the predicted label; for ner, of each span or of the label of each word
CONFIDENCE = "confidence"  # how likely the prediction is correct; compared with the threshold
PROBABILITIES = "probabilities"  # of all labels
_DIGITS = 6  # of a probability: float32 is not more precise


def load_mapper(model: str | Path, backend: Backend = "auto") -> MetaMapper:
    """Load an encoder; a note says if it was not meta-trained.

    Args:
        model: A published or pretrained encoder, as for ``MetaMapper.from_pretrained``.
        backend: Likewise.
    """
    from metamapping import MetaMapper
    from metamapping.adaptation.inputs.length_counts import LongPairWarning
    from metamapping.publishing.pretrained_model import (
        UntrainedMappingWarning,
        is_pretrained,
        untrained_sentence,
    )

    warnings.simplefilter("ignore", LongPairWarning)  # `print_long_texts` says it
    if is_pretrained(model):
        print_note(f"note: {untrained_sentence(model)}")
        warnings.simplefilter("ignore", UntrainedMappingWarning)
    return MetaMapper.from_pretrained(model, backend=backend)


def load_task(folder: Path, model: str | None = None, backend: Backend = "auto") -> Mapping:
    """Load a saved task.

    Args:
        folder: Folder of the task.
        model: Folder, address or name of the encoder; default: the one that the task names.
        backend: As for ``MetaMapper.from_pretrained``.
    """
    # Imported here and not with the module, so that errors in the arguments appear at once.
    from metamapping import Mapping
    from metamapping.adaptation.inputs.length_counts import LongPairWarning
    from metamapping.adaptation.saved.task_folder import PrecisionWarning

    warnings.simplefilter("ignore", LongPairWarning)  # `print_long_texts` says it
    mapper = None if model is None else load_mapper(model, backend)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", PrecisionWarning)
        mapping = Mapping.load(folder, mapper, backend=backend)
    for each in caught:
        print_note(f"note: {each.message}")
    return mapping


def print_long_texts(mapping: Mapping) -> None:
    """Print a note if any of the texts that a task was given are longer than its encoder reads at once.

    Args:
        mapping: The task.
    """
    if sentence := mapping.length_counts.sentence():
        print_note(f"note: {sentence}")


class Labelling:
    """Adds the prediction to rows, and probabilities if requested.

    Args:
        mapping: The task.
        fields: The columns of the rows.
        threshold: As in ``Mapping.predict``: a less confident prediction is ``None``.
        probabilities: Whether to add probabilities and confidence.

    Attributes:
        fields: The columns of the rows.
    """

    def __init__(
        self, mapping: Mapping, fields: Fields, *, threshold: Any = None, probabilities: bool = False
    ) -> None:
        self._mapping, self.fields = mapping, fields
        self._threshold, self._probabilities = threshold, probabilities

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns that are added."""
        if not self._probabilities:
            return (PREDICTION,)
        if self.fields.is_ner:
            return PREDICTION, PROBABILITY
        if self._mapping.is_multi_label:
            return PREDICTION, CONFIDENCE, PROBABILITIES
        return PREDICTION, PROBABILITY, CONFIDENCE, PROBABILITIES

    def rows(
        self, rows: Iterator[Row], *, on_progress: Callable[[int], None], rows_per_part: int = ROWS_PER_PART
    ) -> Iterator[Row]:
        """Label rows.

        Args:
            rows: The rows.
            rows_per_part: Number of rows that are read before they are labelled together.
            on_progress: Called with the number of rows of each finished part.

        Yields:
            Each row with the new columns.

        Raises:
            ValueError: A row already has one of the new columns, or has no text.
        """
        first = 1
        while part := list(islice(rows, rows_per_part)):
            check_columns_are_new(part, self.columns, first=first)
            self.fields.check_tag_columns(part, self._mapping.labels)
            for row, added in zip(part, self._added(part, first), strict=True):
                labelled = copy(row)  # which leaves a sentence its lines
                labelled.update(zip(self.columns, added, strict=True))
                yield labelled
            first += len(part)
            on_progress(len(part))

    def _added(self, part: Sequence[Row], first: int) -> Iterator[tuple[Any, ...]]:
        texts, pairs = self.fields.texts(part, first=first), self.fields.text_pairs(part, first=first)
        empty = self.fields.are_empty(texts, pairs)
        if not any(empty):
            yield from self._answers(texts, pairs)
            return
        all_texts, texts = texts, list(without(texts, empty))
        answers = self._answers(texts, pairs and list(without(pairs, empty))) if texts else iter(())
        for text, is_empty in zip(all_texts, empty, strict=True):
            yield self._no_answer(text) if is_empty else next(answers)

    def _no_answer(self, text: Any) -> tuple[Any, ...]:
        """What an empty text gets in each of the new columns."""
        if self._mapping.is_multi_label:
            return SpanList(), *[None] * (len(self.columns) - 1)
        return (self._nothing(text),) * len(self.columns)

    def _nothing(self, text: Any) -> list[Any] | None:
        if not self.fields.is_ner:
            return None
        return SpanList() if isinstance(text, str) else []

    def _answers(self, texts: list[Any], pairs: list[str] | None) -> Iterator[tuple[Any, ...]]:
        if self._probabilities and not self.fields.is_ner:
            answers = self._mapping.answer(texts, text_pairs=pairs, threshold=self._threshold)
            rows = [_rounded(row) for row in answers.probabilities]
            labels = [str(label_text(label)) for label in self._mapping.labels]
            named = (dict(zip(labels, row, strict=True)) for row in rows)
            if self._mapping.is_multi_label:
                lists = map(SpanList, answers.labels)
                return zip(lists, _rounded(answers.confidence), named, strict=True)
            best = self._mapping.state.best_of(answers.probabilities)
            own = [row[slot] for row, slot in zip(rows, best, strict=True)]
            return zip(answers.labels, own, _rounded(answers.confidence), named, strict=True)
        predicted = self._mapping.predict(texts, text_pairs=pairs, threshold=self._threshold)
        if self.fields.is_ner and isinstance(texts[0], str):
            spans = [entity_spans(entities) for entities in predicted]
            if not self._probabilities:
                return zip(spans, strict=True)
            probabilities = (SpanList(span["probability"] for span in row) for row in spans)
            return zip(spans, probabilities, strict=True)
        if self._mapping.is_multi_label:
            predicted = list(map(SpanList, predicted))
        if not self._probabilities:
            return zip(predicted, strict=True)
        words = self._mapping.predict_proba(texts)
        return zip(predicted, (_rounded(row.max(axis=-1)) for row in words), strict=True)


def predict_texts(
    mapping: Mapping, fields: Fields, texts: list[Any], text_pairs: list[str] | None
) -> list[Any]:
    """Predict labels; an empty text gets none, and an empty text of ``ner`` no tags or entities.

    Args:
        mapping: The task.
        fields: The columns that the texts were read from.
        texts: The texts.
        text_pairs: The second texts, if the texts are pairs.
    """
    empty = fields.are_empty(texts, text_pairs)
    kept = list(without(texts, empty))
    pairs = text_pairs and list(without(text_pairs, empty))
    answers = iter(mapping.predict(kept, text_pairs=pairs) if kept else ())
    return [([] if fields.is_ner else None) if is_empty else next(answers) for is_empty in empty]


def entity_spans(entities: Sequence[Entity]) -> SpanList:
    """Entities as they are written.

    Args:
        entities: Those of one text.
    """
    return SpanList(_span(entity) for entity in entities)


def _span(entity: Entity) -> dict[str, Any]:
    """An entity as it is written, in the order and with the keys in which spans are read."""
    return {
        "start": entity.start,
        "end": entity.end,
        "label": entity.label,
        "text": entity.text,
        "probability": _rounded(entity.probability),
    }


def _rounded(probabilities: Any) -> Any:
    """Rounded Python numbers: one, or a list."""
    return np.round(np.asarray(probabilities, np.float64), _DIGITS).tolist()
