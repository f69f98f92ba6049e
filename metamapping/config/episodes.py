"""Episodes: the training batches, and the fixed few-shot episodes on held-out sources.

Batches are drawn at random in training; the evaluation episodes are the same in every round.

    EpisodeSpec(max_ways=8), EvaluationSpec(shots=[0, 4, 8])
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from metamapping.config.part import Part


class EpisodeSpec(Part):
    """The training batches: texts of one source, divided into several support and query splits."""

    max_ways: int = Field(12, ge=2, description="Maximum number of labels per batch.")
    num_texts: int = Field(
        64, ge=4, description="Number of texts per batch, each encoded once for all splits of the batch."
    )
    num_splits: int = Field(
        6, ge=2, description="Number of support and query splits per batch, one of which is zero-shot."
    )
    max_shots: int = Field(8, ge=1, description="Maximum number of support examples per label.")
    max_ner_words: int = Field(
        384, ge=16, description="Maximum number of words of a batch from which a NER mapping is computed."
    )
    query_weights: Literal["alike", "natural"] = Field(
        "alike",
        description="Weight of a label's queries in the loss: equal for all labels (`alike`), or the label's "
        "frequency in its source (`natural`), for labels that will be rare in use as well. The texts of "
        "sources with `multi_label` weigh the same.",
    )


class EvaluationSpec(Part):
    """The fixed few-shot episodes on held-out sources."""

    ways: int = Field(
        5, ge=2, description="Number of labels per episode, or fewer for a source that has fewer."
    )
    shots: list[Annotated[int, Field(ge=0)]] = Field(
        default=[0, 1, 4],
        min_length=1,
        description="Numbers of support examples per label at which each source is measured.",
    )
    num_queries: int = Field(
        10, ge=1, description="Number of queries per label; for `ner`, `ways` times as many sentences."
    )
    num_episodes: int = Field(30, ge=2, description="Number of episodes per source and number of shots.")
    max_texts: int = Field(
        1_000,
        ge=10,
        description="Maximum number of texts of a source that its episodes draw from, balanced over its "
        "labels.",
    )
