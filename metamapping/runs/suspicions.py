"""Suspicions: what a valid configuration and its labels have that is probably meant otherwise.

Input: a configuration, and how many rows each label has. Output: sentences for people, which stop nothing.
What is suspicious about rows and texts, once they are prepared, is in ``corpus_notes``.

    for sentence in suspicions(config, {"bank": {"fee": 20, "Fee": 1}}):
        print("warning:", sentence)
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from metamapping.config.labels import (
    joined_labels,
    label_column_doubt,
    look_alike,
    several_labels_setting,
    unused_grades,
)
from metamapping.config.schema import PRETRAINED, RunConfig
from metamapping.config.sources import Role, Source
from metamapping.errors import listed
from metamapping.publishing.layout import SETTINGS

# Bootstrap intervals draw sources first: of fewer they vary little and are too narrow.
ENOUGH_SOURCES = 5

HELD_OUT: tuple[Role, ...] = ("validation", "test")

_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?")


def suspicions(config: RunConfig, counts: Mapping[str, Mapping[str, int]]) -> list[str]:
    """Return a sentence about everything in a configuration that is suspicious.

    Args:
        config: The configuration of a run.
        counts: For each source whose labels are known, the number of rows of each label.
    """
    found = [sentence for source in config.sources for sentence in _of_source(source, counts)]
    return [*found, *_of_validation(config), *_of_encoder(config)]


def notes_on_roles(config: RunConfig, labels: Mapping[str, Collection[str]]) -> Iterator[str]:
    """Say of which held-out sources the result shows less, or promises less, than one may think.

    They are often meant so, as with sources of sentiment, which all have the same labels.

    Args:
        config: The configuration of a run.
        labels: The labels of each source.

    Yields:
        A sentence for each such source.
    """
    train = config.sources_with("train")
    trained_types = {source.task_type for source in train}
    for source in {s.name: s for role in HELD_OUT for s in config.sources_with(role)}.values():
        if source.task_type not in trained_types:
            yield f"source {source.name!r}: no train source is of the type {source.task_type}"
        own = set(labels.get(source.name, []))
        same = [
            each.name for each in train if each.name != source.name and set(labels.get(each.name, [])) == own
        ]
        if own and same:
            yield (
                f"source {source.name!r}: it has exactly the labels of the train source {same[0]!r}, so it "
                "shows how well known labels are predicted, not new ones"
            )


def _of_source(source: Source, counts: Mapping[str, Mapping[str, int]]) -> Iterator[str]:
    labels = counts.get(source.name, {})
    where = f"source {source.name!r}:"
    if source.task_type != "ner":
        doubt = label_column_doubt(len(labels), sum(labels.values()))
        if doubt is not None:
            yield f"{where} {doubt} If not, give it as `columns.label`"
        if joined := joined_labels(labels):
            yield f"{where} {joined[0]}: {several_labels_setting(joined[1])}"
    yield from (f"{where} {sentence}" for sentence in look_alike(labels))
    if source.ordinal and labels and (unused := unused_grades(source.ordinal, labels, of="row")):
        yield f"{where} {unused}"
    unnamed = [label for label in labels if _NUMBER.fullmatch(label) and label not in source.label_names]
    if labels and len(unnamed) == len(labels):
        yield (
            f"{where} its labels are numbers without names ({listed(sorted(unnamed))}), but the encoder "
            "reads names: give `label_names`, or `labels`"
        )


def _of_encoder(config: RunConfig) -> Iterator[str]:
    preset = config.encoder.preset
    if preset is not None and config.start == PRETRAINED and (Path(preset) / SETTINGS).is_file():
        yield (
            "encoder.preset is a published encoder, of which only the weights are used: the mapping starts "
            "anew, which is often worse. To continue with both, keep the first run's `encoder` and set "
            "`start` to the id of the run, or to `production`"
        )


def _of_validation(config: RunConfig) -> Iterator[str]:
    number = len(config.sources_with("validation"))
    if number < ENOUGH_SOURCES:
        yield (
            f"there {'is one validation source' if number == 1 else f'are {number} validation sources'}: "
            f"intervals over fewer than {ENOUGH_SOURCES} are too narrow, and rounds may be judged by "
            "chance; add sources, or split sources by `label_roles`"
        )
