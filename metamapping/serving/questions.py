"""What a task says about its own data, as responses.

cross_validated(mapping.cross_validate())
suspicious(mapping.suspicious_labels(num=20))
wrong(mapping.errors(texts, labels))
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, Field

from metamapping.serving.messages import Example, Label, _Message

if TYPE_CHECKING:  # these modules import SciPy
    from metamapping.adaptation.cross_validation import CrossValidation
    from metamapping.adaptation.label_checks.suspicious_labels import SuspiciousLabels
    from metamapping.adaptation.results import Error, Neighbour

_DIGITS = 6  # of a number: float32 is not more precise

AnyLabel = Label | list[Label]


class LabelledTexts(_Message):
    """Texts with their true labels, as the examples of a task."""

    examples: list[Example] = Field(min_length=1)


class Estimate(BaseModel):
    """A score with its 95 % interval; `null` where it is not known."""

    mean: float | None
    low: float | None
    high: float | None


class LabelScore(BaseModel):
    """The scores of one label."""

    label: str
    precision: float
    recall: float
    f1: float
    count: int


class Confusion(BaseModel):
    """How often one label was predicted instead of another; `null` is no label, for `ner` no entity."""

    gold: str | None
    predicted: str | None
    count: int


class CrossValidated(BaseModel):
    """How good a task is, by its own examples: each was predicted from the others."""

    num_examples: int
    scores: dict[str, Estimate] = Field(
        description="`accuracy` and `macro-F1`; for `ner` the F1 of whole entities.",
    )
    labels: list[LabelScore]
    confusions: list[Confusion] = Field(description="The most frequent first.")
    notes: list[str] = Field(
        description="Why other texts may be predicted better or worse than these examples."
    )


class SimilarExample(BaseModel):
    """An example, or for `ner` a word of one, on which a judgement rests."""

    index: int = Field(description="Position of the example in the task, from 0.")
    text: str | None = Field(description="`null` if the task was stored without texts.")
    text_pair: str | None = None
    label: AnyLabel
    similarity: float
    weight: float = Field(description="What it adds to the score of the suggested or predicted label.")
    word: int | None = Field(None, description="For `ner` the position of the word, from 0.")


class SuspiciousExample(BaseModel):
    """An example whose label the others contradict."""

    index: int = Field(description="Position of the example in the task, from 0.")
    label: AnyLabel
    suggested: AnyLabel = Field(description="What the others suggest.")
    probability: float = Field(description="The probability that the label is wrong.")
    word: int | None = Field(None, description="For `ner` the first word that it is about, from 0.")
    num_words: int | None = Field(None, description="For `ner` how many words it is about.")
    similar: list[SimilarExample]


class Suspicious(BaseModel):
    """The examples whose labels are probably wrong, the most probable first."""

    num_examples: int = Field(description="How many were checked; for `ner` words.")
    noise: float = Field(description="The estimated share of wrong labels.")
    suspicious: list[SuspiciousExample]


class WrongText(BaseModel):
    """A text that is predicted wrongly."""

    index: int = Field(description="Position of the text in the request, from 0.")
    label: AnyLabel = Field(description="As given; for `ner` as BIO tags.")
    prediction: AnyLabel | None
    probability: float
    word: int | None = Field(None, description="For `ner` the wrong word that `similar` is about, from 0.")
    similar: list[SimilarExample]


class Wrong(BaseModel):
    """The texts that are predicted wrongly, the surest first."""

    num_texts: int
    errors: list[WrongText]


def cross_validated(result: CrossValidation) -> CrossValidated:
    """The response about the left-out examples of a task.

    Args:
        result: Their scores.
    """
    scores = {
        name: Estimate(**{end: _number(getattr(score, end)) for end in ("mean", "low", "high")})
        for name, score in result.scores.scores.items()
    }
    return CrossValidated(
        num_examples=result.scores.num_rows,
        scores=scores,
        labels=[LabelScore(**vars(each)) for each in result.scores.labels],
        confusions=[Confusion(**vars(each)) for each in result.scores.confusions],
        notes=result.notes,
    )


def suspicious(found: SuspiciousLabels) -> Suspicious:
    """The response about suspicious labels.

    Args:
        found: The labels.
    """
    return Suspicious(
        num_examples=found.num_examples,
        noise=round(found.noise, _DIGITS),
        suspicious=[
            SuspiciousExample(
                index=each.index,
                label=each.label,
                suggested=each.suggested,
                probability=round(each.probability, _DIGITS),
                word=each.word,
                num_words=each.num_words,
                similar=_similar(each.neighbours),
            )
            for each in found
        ],
    )


def wrong(errors: Sequence[Error], num_texts: int) -> Wrong:
    """The response about texts that are predicted wrongly.

    Args:
        errors: The errors.
        num_texts: Number of all texts.
    """
    return Wrong(
        num_texts=num_texts,
        errors=[
            WrongText(
                index=each.index,
                label=each.label,
                prediction=each.predicted,
                probability=round(each.probability, _DIGITS),
                word=each.word,
                similar=_similar(each.explanation or []),
            )
            for each in errors
        ],
    )


def _similar(neighbours: Sequence[Neighbour]) -> list[SimilarExample]:
    return [
        SimilarExample(
            index=each.index,
            text=each.text,
            text_pair=each.text_pair,
            label=each.label,
            similarity=round(each.similarity, _DIGITS),
            weight=round(each.weight, _DIGITS),
            word=each.word,
        )
        for each in neighbours
    ]


def _number(value: Any) -> float | None:
    return round(float(value), _DIGITS) if math.isfinite(value) else None
