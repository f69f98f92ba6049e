"""Suspicions: what a valid configuration and its labels have that is probably meant otherwise.

Input: a configuration, and how many rows each label has. Output: sentences for people, which stop nothing.

    for sentence in suspicions(config, {"bank": {"fee": 20, "Fee": 1}}):
        print("warning:", sentence)
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from metamapping.config.labels import label_column_doubt, look_alike
from metamapping.config.schema import RunConfig
from metamapping.config.sources import Source
from metamapping.errors import listed

# Bootstrap intervals draw sources first: of fewer they vary little and are too narrow.
MIN_VALIDATION_SOURCES = 5

_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?")


def suspicions(config: RunConfig, counts: Mapping[str, Mapping[str, int]]) -> list[str]:
    """Return a sentence about everything in a configuration that is suspicious.

    Args:
        config: The configuration of a run.
        counts: For each source whose labels are known, the number of rows of each label.
    """
    found = [sentence for source in config.sources for sentence in _of_source(source, counts)]
    return [*found, *_of_validation(config)]


def _of_source(source: Source, counts: Mapping[str, Mapping[str, int]]) -> Iterator[str]:
    labels = counts.get(source.name, {})
    where = f"source {source.name!r}:"
    if source.task_type != "ner":
        doubt = label_column_doubt(len(labels), sum(labels.values()))
        if doubt is not None:
            yield f"{where} {doubt} If not, give it as `columns.label`"
    yield from (f"{where} {sentence}" for sentence in look_alike(labels))
    unnamed = [label for label in labels if _NUMBER.fullmatch(label) and label not in source.label_names]
    if labels and len(unnamed) == len(labels):
        yield (
            f"{where} its labels are numbers without names ({listed(sorted(unnamed))}), but the encoder "
            "reads names: give `label_names`, or `labels`"
        )


def _of_validation(config: RunConfig) -> Iterator[str]:
    number = len(config.sources_with("validation"))
    if number < MIN_VALIDATION_SOURCES:
        yield (
            f"there {'is one validation source' if number == 1 else f'are {number} validation sources'}: "
            f"intervals over fewer than {MIN_VALIDATION_SOURCES} are too narrow, and rounds may be judged by "
            "chance; add sources, or split sources by `label_roles`"
        )
