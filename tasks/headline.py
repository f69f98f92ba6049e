"""The headline of a stage's result: a few words that the name of its flow run ends with.

return with_headline(report.model_dump(mode="json"), "0.583")
"""

from __future__ import annotations

from typing import Any

HEADLINE = "headline"


def with_headline(result: dict[str, Any], headline: str) -> dict[str, Any]:
    """Add a headline to the result of a stage.

    Args:
        result: The result as JSON.
        headline: What the stage has found, in a few words.

    Returns:
        A new dictionary.
    """
    return {**result, HEADLINE: headline}
