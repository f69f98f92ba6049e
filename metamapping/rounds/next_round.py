"""The next round: its settings and its starting weights, as determined by the rounds so far.

Input: a run's history, the judged rounds from 1 on. Output: how the next round is made. All functions are
pure, so a run that resumes from ``rounds.jsonl`` makes the same next round.

    settings = settings_of(AdjustableSettings.of(config), history)
    shares = mean_of_rounds(history)        # {}: train from the checkpoint of start_round(history)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from metamapping.rounds.records import AVERAGE, START, Adjustment, Round, RoundReport, TrainingReport
from metamapping.rounds.settings import AdjustableSettings
from metamapping.rounds.statistics import trained_rounds

# A mean of more checkpoints would include older ones, which are worse.
NUM_AVERAGED = 3


def settings_of(configured: AdjustableSettings, history: Sequence[Round]) -> AdjustableSettings:
    """Return the settings of the round after ``history``.

    Args:
        configured: The settings of the run's configuration.
        history: The judged rounds, from round 1 on.

    Returns:
        The configured settings with all adjustments so far.
    """
    for judged in history:
        configured = apply_adjustments(configured, judged.adjustments)
    return configured


def apply_adjustments(settings: AdjustableSettings, adjustments: Sequence[Adjustment]) -> AdjustableSettings:
    """Apply adjustments to settings.

    Args:
        settings: The settings to start from.
        adjustments: The changes; ``START`` and ``AVERAGE`` concern checkpoints and are skipped.

    Returns:
        The changed settings.

    Raises:
        ValueError: If an adjustment names an unknown setting, or a value that the setting does not allow.
    """
    return settings.with_values({a.field: a.new for a in adjustments if a.field not in (START, AVERAGE)})


def start_round(history: Sequence[Round]) -> int:
    """Return the round whose checkpoint the next round starts from.

    Args:
        history: The judged rounds, from round 1 on.

    Returns:
        The last round, unless an adjustment names an earlier one; 0, the encoder before meta-training,
        for round 1.
    """
    if not history:
        return 0
    for adjustment in history[-1].adjustments:
        if adjustment.field == START and isinstance(adjustment.new, int):
            return adjustment.new
    return history[-1].report.round


def mean_of_rounds(history: Sequence[Round]) -> dict[int, float]:
    """Return the rounds whose weights the next round averages.

    Args:
        history: The judged rounds, from round 1 on.

    Returns:
        The share of each round in the mean; empty where the next round is trained.
    """
    for adjustment in history[-1].adjustments if history else []:
        if adjustment.field == AVERAGE:
            return adjustment.shares
    return {}


def training_of_mean(reports: Sequence[RoundReport], shares: Mapping[int, float]) -> TrainingReport:
    """Build the training report of a round whose weights are a mean of other rounds' weights.

    Args:
        reports: The reports of all rounds from 1 on.
        shares: The share of each round in the mean; round 0 is the encoder before meta-training.

    Returns:
        The report of the last averaged round, without steps and losses per source, and with the mean loss.
    """
    averaged = [reports[number - 1].training for number in shares if number > 0]
    return averaged[-1].model_copy(
        update={
            "meta_steps": 0,
            "seconds": 0.0,
            "loss": float(np.mean([training.loss for training in averaged])),
            "source_losses": {},
            "averaged": list(shares),
            "shares": list(shares.values()),
            "agreements": {},
        }
    )


def needed_rounds(history: Sequence[Round]) -> set[int]:
    """Return the rounds whose checkpoints a later round or publishing may still read.

    Args:
        history: The judged rounds, from round 1 on; at least one.

    Returns:
        Round 0 as the baseline, the last round and the current best as starting points, the best round for
        publishing, and the rounds that the moves ``average`` and ``restore`` may use.
    """
    last = history[-1]
    trained = [report.round for report in trained_rounds(history)]
    named = {0, last.report.round, start_round(history), *mean_of_rounds(history)}
    # After a mean of rounds that still costs a source too much, another mean of the same rounds may follow.
    named |= set(last.report.training.averaged)
    return named | {last.verdict.best_round, last.verdict.leading_round} | set(trained[-NUM_AVERAGED:])
