"""Evidence: the data by which the moves after a round are chosen, and the definition of a move.

Input: the rounds so far and the settings that the next round would have without a move. Output: the
quantities that the conditions of the moves refer to.

    evidence = Evidence(rounds, settings, spec, why="no clear gain")
    evidence.number(LEARNING_RATE), evidence.remaining_losses()
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from metamapping.config.rounds import AdjustmentSpec
from metamapping.rounds.records import Round, RoundReport, Value
from metamapping.rounds.settings import SOURCE_WEIGHT
from metamapping.rounds.statistics import remaining_losses, trained_rounds


@dataclass(frozen=True)
class Move:
    """One thing to try in the next round.

    Attributes:
        name: Name in the history and the reports.
        values: The new value of each field that it changes.
        reasons: Why, for each of these fields.
        shares: The share of each round whose weights the next round averages; empty where it is trained.
    """

    name: str
    values: Mapping[str, Value] = field(default_factory=dict)
    reasons: Mapping[str, str] = field(default_factory=dict)
    shares: Mapping[int, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Evidence:
    """All rounds so far, and the settings and bounds for the next one.

    Attributes:
        rounds: The rounds from 1 to the one just judged.
        settings: The value of each setting in the next round, unless a move changes it.
        spec: Factors and bounds of the moves.
        why: Why a move is needed: ``"no clear gain"`` or ``"it diverged"``.
    """

    rounds: Sequence[Round]
    settings: Mapping[str, Value]
    spec: AdjustmentSpec
    why: str

    @property
    def last(self) -> Round:
        """The round just judged."""
        return self.rounds[-1]

    @property
    def trained(self) -> list[RoundReport]:
        """The reports of all rounds that were trained and did not diverge."""
        return trained_rounds(self.rounds)

    def number(self, setting: str, default: float = 1.0) -> float:
        """Return the value of a numeric setting.

        Args:
            setting: Name of the setting, as in ``rounds.settings``.
            default: The result if the setting is not set.

        Returns:
            The value.
        """
        value = self.settings.get(setting)
        return float(value) if isinstance(value, (int, float)) else default

    def remaining_losses(self) -> dict[str, float]:
        """Return the share of its first loss that each source still has.

        Sources at the lowest weight are left out, because a trial without them is under way or has succeeded.
        """
        remaining = remaining_losses(self.trained)
        lowest = self.spec.min_source_weight
        return {s: share for s, share in remaining.items() if self.number(SOURCE_WEIGHT + s) > lowest}
