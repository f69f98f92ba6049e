"""Unfinished runs: those that a new run of the same name and settings would leave behind.

A run's id is a function of its settings and of its prepared rows. New rows make a new run, and so does
another release that prepares them otherwise. What was trained before is not lost, and can be finished.

    unfinished_runs(run, config)          # ["run demo-1f0c…, which is unfinished after 2 rounds: …"]
"""

from __future__ import annotations

from typing import Any

from metamapping.config.schema import RunConfig
from metamapping.errors import ConfigError, StoreError
from metamapping.rounds.wording import count
from metamapping.runs.folder import RUN_FILE, RunFolder, deciding_settings
from metamapping.storage import remote


def unfinished_runs(run: RunFolder, config: RunConfig) -> list[str]:
    """Find the runs with the name and the settings of a run that has not trained yet.

    Args:
        run: An opened run.
        config: Its configuration as it was read: only what it sets itself is compared, since another release
            may have other defaults.

    Returns:
        A sentence about each of them; none if the run itself has been trained already.
    """
    if remote.read_file(run.path / "rounds.jsonl") is not None or run.read_training(1) is not None:
        return []
    wanted, sentences = config.model_dump(mode="json", exclude_unset=True), []
    for path in remote.list_folders(run.path.parent, RUN_FILE):
        other = RunFolder.at(path)
        if other.run_id == run.run_id or not other.run_id.startswith(f"{config.name}-"):
            continue
        try:
            if other.has_published or not _agree(deciding_settings(other.config), wanted):
                continue
            rounds = len(other.read_history())
        except (ConfigError, StoreError):
            continue  # `metamapping runs` says what is wrong with it.
        sentences.append(
            f"run {other.run_id}, which is unfinished after {count(rounds, 'round')}: it has the "
            "same settings, but rows or defaults of other files or another release; "
            f"`metamapping train --resume {other.run_id}` finishes it"
        )
    return sentences


def _agree(whole: Any, part: Any) -> bool:
    """Whether all that both name is the same."""
    if isinstance(whole, dict) and isinstance(part, dict):
        return all(_agree(whole[name], value) for name, value in part.items() if name in whole)
    if isinstance(whole, list) and isinstance(part, list):
        return len(whole) == len(part) and all(map(_agree, whole, part))
    return bool(whole == part)
