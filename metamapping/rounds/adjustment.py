"""Adjustment: what changes before the next round, as a list of (field, old, new, why).

Input: the judged rounds, the configured settings and the bounds of ``AdjustmentSpec``. Output: the
adjustments for the next round, which ``rounds.next_round`` applies. Pure: the same rounds give the same
adjustments, and every value stays within its bounds.

    adjustments = adjust(history, report, verdict, AdjustableSettings.of(config), config.adjustment)
    history = [*history, Round(report=report, verdict=verdict, adjustments=adjustments)]
"""

from __future__ import annotations

from collections.abc import Sequence

from metamapping.config.rounds import AdjustmentSpec
from metamapping.rounds.evidence import Evidence, Move
from metamapping.rounds.intervals import Estimate
from metamapping.rounds.moves import FALLING, propose
from metamapping.rounds.next_round import settings_of
from metamapping.rounds.records import START, Adjustment, Round, RoundReport, Value, Verdict
from metamapping.rounds.settings import LEARNING_RATE, SOURCE_WEIGHT, AdjustableSettings
from metamapping.rounds.statistics import loss_change, trained_rounds


def adjust(
    history: Sequence[Round],
    report: RoundReport,
    verdict: Verdict,
    configured: AdjustableSettings,
    spec: AdjustmentSpec,
) -> list[Adjustment]:
    """Decide what changes before the next round.

    After IMPROVING nothing changes. After PLATEAUED and DIVERGED the next round starts from the checkpoint of
    the current best and from the settings of the last clear gain, except for the learning rate, which stays
    lowered. From there one move is tried: the one that was tried longest ago since that gain, or never. A
    round with a probable gain, or a current best whose training losses still fall, is followed by another
    round unchanged. The reasons and measurements are in ``docs/experiments/adjusting.md``.

    Args:
        history: The judged rounds before the last one, from round 1 on.
        report: The report of the last round.
        verdict: The verdict on the last round.
        configured: The settings of the run's configuration.
        spec: The allowed moves, with their factors and bounds.

    Returns:
        The adjustments, those of the chosen move before those that revert earlier changes. Empty where the
        next round continues unchanged, where the run is over and where no moves are allowed.
    """
    if verdict.state not in ("PLATEAUED", "DIVERGED") or not spec.moves:
        return []
    if verdict.state == "PLATEAUED" and (
        _is_probable_gain(verdict, report) or _is_still_learning(history, report, verdict)
    ):
        return []
    why = "it diverged" if verdict.diverged else "no clear gain"
    adjustments = []
    if verdict.leading_round != report.round:
        adjustments.append(
            Adjustment(
                field=START, old=report.round, new=verdict.leading_round, why=f"{why}: back to the best round"
            )
        )
    rounds = [*history, Round(report=report, verdict=verdict)]
    current = settings_of(configured, history).values
    # The rounds before the last clear gain decided on the settings that it was trained with.
    proven = settings_of(configured, history[: max(verdict.compared_with, 1) - 1]).values
    proven[LEARNING_RATE] = current[LEARNING_RATE]
    move = _choose(list(propose(Evidence(rounds, proven, spec, why))), rounds)
    return [*adjustments, *_changes(current, {**proven, **move.values}, move)]


def _choose(moves: Sequence[Move], rounds: Sequence[Round]) -> Move:
    """The move tried longest ago since the last clear gain; moves that were never tried come first."""
    last_gain = rounds[-1].verdict.compared_with
    last_tried = {r.move: r.report.round for r in rounds if r.report.round > last_gain}
    return min(moves, key=lambda move: last_tried.get(move.name, 0), default=Move(""))


def _is_probable_gain(verdict: Verdict, report: RoundReport) -> bool:
    """Whether the round is the current best and probably better than the reference round."""
    if verdict.leading_round != report.round or verdict.gain is None:
        return False
    gain = Estimate.model_validate({"mean": verdict.gain, "low": verdict.gain_low, "high": verdict.gain_high})
    return gain.is_probable_gain


def _is_still_learning(history: Sequence[Round], report: RoundReport, verdict: Verdict) -> bool:
    """Whether the round is the current best while training losses still fall."""
    change = loss_change(trained_rounds([*history, Round(report=report, verdict=verdict)]))
    is_trained_best = verdict.leading_round == report.round and not report.training.averaged
    return is_trained_best and change is not None and change < FALLING


def _changes(old: dict[str, Value], new: dict[str, Value], move: Move) -> list[Adjustment]:
    """One adjustment for each field that differs, the move's own fields first."""
    changes = []
    for name in sorted({*old, *new}, key=lambda name: (name not in move.values, name)):
        # A source without a configured weight has weight 1; every other field is unset.
        unset = 1.0 if name.startswith(SOURCE_WEIGHT) else None
        before, after = old.get(name, unset), new.get(name, unset)
        if before == after:
            continue
        if name in move.values:
            why, label, shares = move.reasons[name], move.name, dict(move.shares)
        else:
            why, label, shares = "the change brought no clear gain: reverted", "", {}
        changes.append(Adjustment(field=name, old=before, new=after, why=why, move=label, shares=shares))
    return changes
