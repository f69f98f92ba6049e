"""Promotion: whether the encoder that a run publishes goes into production, and by which rules.

PromotionSpec(mode="automatic", max_source_fall=0.01)
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from metamapping.config.part import Part


class PromotionSpec(Part):
    """Whether a published encoder goes into production, and by which rules."""

    mode: Literal["never", "approval", "automatic"] = Field(
        "never",
        description="What happens to a published encoder that is better than the one in production by these "
        "rules: nothing (`never`), a person is asked on the page of the run (`approval`), or it goes into "
        "production (`automatic`).",
    )
    min_gain: float = Field(
        0.0,
        ge=0,
        le=1,
        description="Accuracy, 0 to 1, that it must gain over production on the mean of the validation "
        "sources: the whole 95 % interval must lie above it.",
    )
    max_source_fall: float = Field(
        0.0,
        ge=0,
        le=1,
        description="Accuracy, 0 to 1, that any validation or test source may lose against production; a "
        "source that clearly loses more stops the promotion.",
    )
    approval_hours: float = Field(
        24.0, gt=0, description="Hours to wait for a person with `approval`; after them it is not promoted."
    )
