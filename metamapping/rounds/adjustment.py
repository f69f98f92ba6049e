"""Adjustment: what changes before the next round, as a list of (field, old, new, why).

Pure functions of history and configuration: the same rounds give the same adjustments, and every
value stays within the bounds of ``AdjustmentSpec``. A ``Round`` is one line of ``rounds.jsonl``.

    adjustments = adjust(history, report, verdict, Settings.of(config), config.adjustment)
    history = [*history, Round(report=report, verdict=verdict, adjustments=adjustments)]
    settings_of(Settings.of(config), history), start_round(history)       # of the next round
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict

from metamapping.config.schema import AdjustmentSpec, EpisodeSpec, RunConfig, TrainingSpec
from metamapping.rounds.intervals import Estimate
from metamapping.rounds.moves import (
    AVERAGE,
    FALLING,
    MAX_SHOTS,
    MAX_WAYS,
    NUM_AVERAGED,
    SOURCE_WEIGHT,
    TRAINABLE_LAYERS,
    Evidence,
    Move,
    propose,
    shares_of,
)
from metamapping.rounds.records import Adjustment, Round, RoundReport, Value, Verdict
from metamapping.rounds.statistics import loss_change, trained_rounds

START = "start_from_round"


class Settings(BaseModel):
    """What of a configuration a move can change."""

    model_config = ConfigDict(frozen=True)

    training: TrainingSpec
    episodes: EpisodeSpec
    trainable_layers: int | None = None

    @classmethod
    def of(cls, config: RunConfig) -> Settings:
        """As configured."""
        return cls(
            training=config.training,
            episodes=config.episodes,
            trainable_layers=config.encoder.trainable_layers,
        )

    @property
    def values(self) -> dict[str, Value]:
        """Every setting that a move can change, by the name it has in an adjustment."""
        weights = self.training.source_weights
        return {
            "learning_rate": self.training.learning_rate,
            "weight_decay": self.training.weight_decay,
            MAX_SHOTS: self.episodes.max_shots,
            MAX_WAYS: self.episodes.max_ways,
            TRAINABLE_LAYERS: self.trainable_layers,
            **{SOURCE_WEIGHT + source: weight for source, weight in weights.items()},
        }


def adjust(
    history: Sequence[Round],
    report: RoundReport,
    verdict: Verdict,
    configured: Settings,
    spec: AdjustmentSpec,
) -> list[Adjustment]:
    """What changes after ``report``, judged ``verdict``; ``history``: the rounds before it.

    IMPROVING goes on unchanged. PLATEAUED and DIVERGED go back to the leading checkpoint and to the
    settings of the last clear gain, but for the learning rate, which stays down; from there one
    move is tried: the one that was tried longest ago, or never, since that gain. A gain that is
    probable but not clear yet is given another round unchanged, and so is a round that leads while
    the training losses still fall. Nothing when the run is over, or with no moves. Why so:
    ``docs/decisions/adjusting.md``.
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
        start = {"old": report.round, "new": verdict.leading_round}
        adjustments.append(Adjustment(field=START, why=f"{why}: back to the best", **start))
    rounds = [*history, Round(report=report, verdict=verdict)]
    now = settings_of(configured, history).values
    proven = settings_of(configured, history[: max(verdict.compared_with, 1) - 1]).values
    proven["learning_rate"] = now["learning_rate"]
    move = _choose(list(propose(Evidence(rounds, proven, spec, why))), rounds)
    return [*adjustments, *_changes(now, {**proven, **move.values}, move)]


def apply_adjustments(settings: Settings, adjustments: Sequence[Adjustment]) -> Settings:
    """``settings`` with the changes made. START and AVERAGE concern checkpoints, and are passed over.

    Raises ``ValueError`` on a setting that there is not, or a value it refuses.
    """
    values: dict[str, Any] = settings.model_dump()
    training, episodes = values["training"], values["episodes"]
    for adjustment in adjustments:
        name, new = adjustment.field, adjustment.new
        if name in (START, AVERAGE):
            continue
        if name.startswith(SOURCE_WEIGHT):
            source = name.removeprefix(SOURCE_WEIGHT)
            training["source_weights"] = {**training["source_weights"], source: new}
        elif name in (MAX_SHOTS, MAX_WAYS):
            episodes[name.removeprefix("episodes.")] = new
        elif name == TRAINABLE_LAYERS:
            values["trainable_layers"] = new
        elif name in settings.values:
            training[name] = new
        else:
            raise ValueError(
                f"adjustment of {name!r}: there is no such setting; known: {START}, {AVERAGE}, "
                f"{SOURCE_WEIGHT}<source>, {', '.join(sorted(settings.values))}"
            )
    return Settings.model_validate(values)


def settings_of(configured: Settings, history: Sequence[Round]) -> Settings:
    """The settings of the round after ``history``: the configured ones with all adjustments so far."""
    for judged in history:
        configured = apply_adjustments(configured, judged.adjustments)
    return configured


def start_round(history: Sequence[Round]) -> int:
    """The round from whose checkpoint the next one starts: the last, unless it was told to go back."""
    if not history:
        return 0
    for adjustment in history[-1].adjustments:
        if adjustment.field == START and isinstance(adjustment.new, int):
            return adjustment.new
    return history[-1].report.round


def mean_of_rounds(history: Sequence[Round]) -> dict[int, float]:
    """The rounds whose mean the next one is, with their shares; empty where the next one is trained."""
    for adjustment in history[-1].adjustments if history else []:
        if adjustment.field == AVERAGE:
            return shares_of(str(adjustment.new))
    return {}


def needed_rounds(history: Sequence[Round]) -> set[int]:
    """The rounds whose checkpoints the next rounds or publishing may read; all others never again.

    Round 0 to measure against, the last and the leading one to start from, the best to publish, and
    those whose mean ``average`` may take.
    """
    last = history[-1]
    trained = [report.round for report in trained_rounds(history)]
    named = {0, last.report.round, start_round(history), *mean_of_rounds(history)}
    return named | {last.verdict.best_round, last.verdict.leading_round} | set(trained[-NUM_AVERAGED:])


def _choose(moves: Sequence[Move], rounds: Sequence[Round]) -> Move:
    """The move tried longest ago since the last clear gain; those never tried are first."""
    gained = rounds[-1].verdict.compared_with
    last_tried = {r.move: r.report.round for r in rounds if r.report.round > gained}
    return min(moves, key=lambda move: last_tried.get(move.name, 0), default=Move(""))


def _is_probable_gain(verdict: Verdict, report: RoundReport) -> bool:
    """Whether the round leads, and is probably better than the round to beat."""
    if verdict.leading_round != report.round or verdict.gain is None:
        return False
    gain = Estimate.model_validate({"mean": verdict.gain, "low": verdict.gain_low, "high": verdict.gain_high})
    return gain.is_probable_gain


def _is_still_learning(history: Sequence[Round], report: RoundReport, verdict: Verdict) -> bool:
    """Whether the round leads while the training losses still fall: nothing says yet what to change."""
    change = loss_change(trained_rounds([*history, Round(report=report, verdict=verdict)]))
    leads = verdict.leading_round == report.round and not report.training.averaged
    return leads and change is not None and change < FALLING


def _changes(old: dict[str, Value], new: dict[str, Value], move: Move) -> list[Adjustment]:
    """From the settings of this round to those of the next, one at a time; the move's own first."""
    changes = []
    for name in sorted({*old, *new}, key=lambda name: (name not in move.values, name)):
        unset = 1.0 if name.startswith(SOURCE_WEIGHT) else None
        before, after = old.get(name, unset), new.get(name, unset)
        if before == after:
            continue
        tried = name in move.values
        why = move.reasons[name] if tried else "the change brought no clear gain: taken back"
        label = move.name if tried else ""
        changes.append(Adjustment(field=name, old=before, new=after, why=why, move=label))
    return changes
