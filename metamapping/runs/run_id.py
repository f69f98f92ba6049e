"""Run id: what a run is identified by, so that the same command finds the same run again.

run_id(config, corpus_fingerprints)         # "demo-0123456789abcdef"
"""

from __future__ import annotations

from typing import Any

from metamapping.config.schema import PRETRAINED, RunConfig
from metamapping.storage.manifest import fingerprint

RUN_VERSION = 3


def run_id(config: RunConfig, corpus_fingerprints: list[str]) -> str:
    """The id of a run: ``<config name>-<fingerprint>`` over everything that decides its result.

    Args:
        config: The run's configuration. Paths of files are ignored, since the files' bytes are part of
            the corpus fingerprints; so are the devices and which checkpoints are kept.
        corpus_fingerprints: ``Corpus.fingerprints`` of the prepared sources.

    Returns:
        The id, which is also the name of the run's folder.
    """
    return f"{config.name}-{fingerprint([RUN_VERSION, deciding_settings(config), corpus_fingerprints])}"


def deciding_settings(config: RunConfig) -> dict[str, Any]:
    """Return the part of a configuration that decides a run's result.

    Args:
        config: The configuration.

    Returns:
        The settings as nested plain values, without locations, devices, which checkpoints are kept and what
        happens to the published encoder.
    """
    settings = config.model_dump(
        mode="json",
        exclude={
            "home": True,
            "engine": True,
            "label_noise": True,
            "promotion": True,
            "tracking": True,
            "sources": {"__all__": {"files", "hub"}},
            "training": {"devices", "keep_checkpoints"},
        },
    )
    # So that runs from before there were these settings keep their ids.
    if config.start == PRETRAINED:
        del settings["start"]
    for source in settings["sources"]:
        for name in ("multi_label", "label_separator", "ordinal"):
            if not source[name]:
                del source[name]
        if source["columns"]["label_columns"] is None:
            del source["columns"]["label_columns"]
    return settings
