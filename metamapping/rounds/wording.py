"""Wording: what people read about a round, in a line, in a cell of a table or as a sentence.

The names of states and fields are a file format (``rounds.records``); these are the words for them, the
same in the terminal, in logs, in artifacts and in the model card.

    describe_round(judged)
    # "round 2: accuracy 0.645 [0.601, 0.689], +0.034 [+0.012, +0.056] over round 1: clear gain"
"""

from __future__ import annotations

from collections.abc import Sequence

from metamapping.rounds.intervals import Estimate
from metamapping.rounds.metrics import score_name
from metamapping.rounds.records import AVERAGE, START, Adjustment, Round, State, Verdict, formatted
from metamapping.rounds.statistics import round_accuracy

# Round 0. Right for a pretrained encoder as for one with random weights.
BEFORE = "the encoder before meta-training"

_STATES: dict[State, str] = {
    "IMPROVING": "clear gain",
    "PLATEAUED": "no clear gain yet",
    "DIVERGED": "diverged",
    "CONVERGED": "converged",
    "EXHAUSTED": "last round",
}


def round_name(number: int) -> str:
    """Name a round in a sentence.

    Args:
        number: Number of the round; 0 is the encoder before meta-training.
    """
    return f"round {number}" if number else BEFORE


def count(number: int, noun: str) -> str:
    """Say how many of something there are.

    Args:
        number: How many.
        noun: What, in the singular; its plural ends in ``s``.
    """
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def state_words(verdict: Verdict) -> str:
    """Say in a few words what a verdict concludes.

    Args:
        verdict: The verdict on a round.
    """
    words = _STATES[verdict.state]
    is_hidden = verdict.diverged and verdict.state != "DIVERGED"
    return f"{_STATES['DIVERGED']}; {words}" if is_hidden else words


def gain_of(verdict: Verdict) -> Estimate | None:
    """Return the gain over the reference round; ``None`` where scores were not finite.

    Args:
        verdict: The verdict on a round.
    """
    if verdict.gain is None:
        return None
    return Estimate.model_validate({"mean": verdict.gain, "low": verdict.gain_low, "high": verdict.gain_high})


def describe_round(judged: Round) -> str:
    """Describe a judged round in one line: its accuracy, its gain, the conclusion and the next change.

    Args:
        judged: The round.
    """
    verdict, gain = judged.verdict, gain_of(judged.verdict)
    reference = f"over round {verdict.compared_with}" if verdict.compared_with else "since the start"
    over = "" if gain is None else f", {gain.signed} {reference}"
    following = describe_next(judged.adjustments)
    return (
        f"round {judged.report.round}: {score_name(judged.report)} {round_accuracy(judged.report)}{over}: "
        f"{state_words(verdict)}"
        f"{f'; next: {following}' if following else ''}"
    )


def describe_next(adjustments: Sequence[Adjustment]) -> str:
    """Say what changes before the next round, without the reasons; empty where nothing does.

    Args:
        adjustments: The changes.
    """
    return ", ".join(map(_describe_change, adjustments))


def _describe_change(change: Adjustment) -> str:
    if change.field == START:
        return f"back to {round_name(change.new) if isinstance(change.new, int) else change.new}"
    if change.field == AVERAGE:
        return f"the mean of rounds {change.new}"
    return f"{change.field} {formatted(change.old)} → {formatted(change.new)}"
