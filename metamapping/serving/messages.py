"""The bodies of requests and responses, as the OpenAPI document describes them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    PlainValidator,
    StrictBool,
    StrictFloat,
    StrictInt,
    StrictStr,
    WithJsonSchema,
)

from metamapping.config.part import WithoutBooleanNumbers
from metamapping.config.sources import TaskType

Words = list[str]
Name = Annotated[str, Field(min_length=1)]
# Labels keep their JSON type: 1 is answered as 1, and "1" as "1".
Label = Annotated[StrictStr, Field(min_length=1)] | StrictBool | StrictInt | StrictFloat
LabelNames = Annotated[
    dict[str, Name],
    Field(description="Readable names, which the encoder reads, for labels such as `neg`."),
]

_EXAMPLES: list[JsonValue] = [
    {"text": "where is my parcel", "label": "delivery"},
    {"text": "i want my money back", "label": "refund"},
]


class _Message(WithoutBooleanNumbers, BaseModel):
    """Rejects unknown keys, and booleans in place of texts or numbers."""

    model_config = ConfigDict(extra="forbid")


class Span(_Message):
    """An entity in a text. Offsets count the characters (code points) of the text."""

    start: StrictInt = Field(description="Its first character, from 0.")
    end: StrictInt = Field(description="The character after its last.")
    label: Name = Field(description="Its type.")


class Example(_Message):
    """A text with its label, or with a list of labels; for `ner` with a list of spans, or a list of words
    with a list of BIO tags.

    The labels of a task are strings, booleans or numbers, all of one type.
    """

    text: str | Words
    label: Label | list[Label] | list[Span]
    text_pair: str | None = Field(None, description="The second text of a pair.")


class NewTask(_Message):
    """A task to adapt to."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"examples": _EXAMPLES}]})

    examples: list[Example] = Field(min_length=1)
    label_names: LabelNames = {}
    task_type: TaskType = "text-classification"
    multi_label: bool | None = Field(
        None,
        description="Whether a text has any number of labels, as a list. Default: if any example has "
        "a list of several labels or of none.",
    )
    ordinal: list[Label] | None = Field(
        None, description="The labels in their order, if they are grades.", examples=[["bad", "ok", "good"]]
    )
    out_of_scope: Label | None = Field(
        None,
        description="The label of examples that belong to none of the others, and of texts like them.",
    )


class MoreExamples(_Message):
    """Examples to add to a task; their labels may be new."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"examples": _EXAMPLES[:1]}]})

    examples: list[Example] = Field(min_length=1)
    label_names: LabelNames = {}


def _threshold(given: Any) -> Any:
    from metamapping.adaptation.scope import check_threshold

    check_threshold(given)
    return given


_THRESHOLDS = {
    "anyOf": [
        {"type": "number", "minimum": 0, "maximum": 1},
        {"const": "auto"},
        {
            "type": "object",
            "properties": {
                name: {"type": "number", "minimum": 0, "maximum": 1} for name in ("precision", "outside")
            },
            "minProperties": 1,
            "additionalProperties": False,
        },
        {"type": "null"},
    ]
}


class _Texts(_Message):
    texts: list[str | Words] = Field(
        description="For `ner` all texts may be lists of words instead of strings."
    )
    text_pairs: list[str] | None = Field(None, description="The second text of each pair.")
    threshold: Annotated[Any, PlainValidator(_threshold), WithJsonSchema(_THRESHOLDS)] = Field(
        None,
        description="A text whose confidence is lower gets `null`, or the task's `out_of_scope`; `auto` is "
        "the threshold that is best for the task's examples, `precision` the lowest at which so many answers "
        "are right, and `outside` the share of texts out of scope, of which half is assumed. Where a "
        "text has any number of labels, it has those whose probability is not lower; for `ner`, an entity of "
        "a text whose probability is lower is left out, and a word whose probability is lower gets `O`.",
    )
    probabilities: bool = Field(False, description="Return probabilities and confidences as well.")


class TextsToLabel(_Texts):
    """Texts to label."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"texts": ["it has not arrived"], "probabilities": True}]}
    )


class Pool(_Message):
    """Texts of which some are worth labelling."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"texts": ["it has not arrived"], "num": 1}]})

    texts: list[str | Words] = Field(
        description="For `ner` all texts may be lists of words instead of strings."
    )
    text_pairs: list[str] | None = Field(None, description="The second text of each pair.")
    num: StrictInt = Field(20, ge=1, description="How many texts to choose.")


class ZeroShot(_Texts):
    """Texts to label, and the labels, without any examples."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"labels": ["billing", "delivery"], "texts": ["it has not arrived"]}]}
    )

    labels: list[Label] = Field(min_length=1, description="At least two; for `ner` the entity types.")
    label_names: LabelNames = {}
    task_type: TaskType = "text-classification"


class TuneTask(_Message):
    """How to tune the encoder to a task."""

    model_config = ConfigDict(json_schema_extra={"examples": [{}, {"seconds": 60}]})

    seconds: StrictFloat | None = Field(
        None,
        gt=0,
        allow_inf_nan=False,
        description="Time for the steps. Default: a number of steps that suits most tasks.",
    )


class TuningJob(BaseModel):
    """A task that is being tuned, or was. It answers as before until the job is done."""

    id: str = Field(examples=["0f8fad5bd9cb469fa16570867728950e"])
    task: str = Field(examples=["orders"])
    status: Literal["waiting", "running", "done", "cancelled", "failed"]
    steps: int = Field(description="Steps taken.", examples=[12])
    steps_in_all: int = Field(description="All steps, as far as known; 0 before the first.", examples=[32])
    seconds: float = Field(description="Time since it began.", examples=[9.5])
    seconds_left: float | None = Field(
        description="Estimated time until it ends; `null` before the first step.", examples=[15.0]
    )
    is_tuned: bool | None = Field(
        description="Whether the task has tuned layers now; `null` until the job is done.", examples=[None]
    )
    result: str | None = Field(
        description="What was decided and why, or why the job failed.", examples=[None]
    )


class TuningJobs(BaseModel):
    """The jobs of the server, the oldest first."""

    jobs: list[TuningJob]


class Task(BaseModel):
    """A task of the server."""

    name: str = Field(examples=["orders"])
    task_type: TaskType
    labels: list[Label] = Field(examples=[["delivery", "refund"]])
    num_examples: int = Field(description="Without those out of scope.", examples=[2])
    multi_label: bool = Field(False, description="Whether a text has any number of labels.")
    out_of_scope: Label | None = Field(
        None, description="What texts outside of the task are answered with; `null` if they get no label."
    )
    is_ordinal: bool = Field(False, description="Whether the labels are grades, in their order.")
    num_out_of_scope: int = Field(0, description="Number of examples out of scope.")


class ChangedTask(Task):
    """A task that was given examples."""

    notes: list[str] = Field(
        default_factory=list,
        description="What was changed in the examples of this request, such as spans that cut a word.",
        examples=[[]],
    )


class Tasks(BaseModel):
    """The tasks of the server."""

    tasks: list[Task]
    damaged: dict[str, str] = Field(
        description="Tasks on disk that cannot be read, with the reason.", examples=[{}]
    )


class Entity(BaseModel):
    """An entity that was found in a text."""

    text: str = Field(description="What is written there.", examples=["London"])
    start: int = Field(description="Its first character, from 0.", examples=[13])
    end: int = Field(description="The character after its last.", examples=[19])
    label: str = Field(description="Its type.", examples=["LOC"])
    probability: float = Field(
        description="How likely exactly these words are one entity of this type.", examples=[0.9]
    )


class Predictions(BaseModel):
    """One prediction per text, in order."""

    predictions: list[Label | list[Label] | list[Entity] | None] = Field(
        description="Labels in the type that they were given in, or lists of them; for `ner` the "
        "entities of each text, or the BIO tags of each list of words.",
        examples=[["delivery"]],
    )
    labels: list[Label] = Field(
        description="The labels of the columns of `probabilities`.", examples=[["delivery", "refund"]]
    )
    # A matrix: validating each number would take longer than computing it.
    probabilities: Any = Field(
        None,
        description="One row per text; for `ner` one row per word of each text; a text is split at white "
        "space and punctuation. `null` if not requested.",
        json_schema_extra={"type": ["array", "null"], "items": {"type": "array"}},
        examples=[[[0.9, 0.1]]],
    )
    confidences: list[float] | None = Field(
        None,
        description="How likely each prediction is correct; `threshold` is compared with it. `null` if not "
        "requested, and for `ner`.",
        examples=[[0.8]],
    )


class Suggested(BaseModel):
    """A text that is worth labelling."""

    index: int = Field(description="Position of the text in the request, counted from 0.")
    prediction: Label | list[Label] | list[Entity] = Field(
        description="A label, or the list of labels; for `ner` the entities of a string, or the BIO tags of "
        "a list of words."
    )
    probability: float = Field(
        description="The probability of the prediction; for `ner` that of the label of the least sure word.",
        examples=[0.6],
    )
    gain: float = Field(
        description="What a label would tell about the texts, as a share of the first suggestion's.",
        examples=[1.0],
    )


class Suggestions(BaseModel):
    """The texts to label, in the order in which to label them."""

    suggestions: list[Suggested]


class Health(BaseModel):
    """Whether the server can answer requests."""

    status: Literal["loading", "ready"]


class Problem(BaseModel):
    """What happened, what was expected, and how to fix it."""

    detail: str
