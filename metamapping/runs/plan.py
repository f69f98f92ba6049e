"""Plan: what a run will do and about how long that takes, in the lines that it shows on the way.

describe_plan(run)[-1]
# "training demo-1f0c…: up to 5 rounds × 100 meta-steps on 17 sources, measured on 4 validation sources, …"
"""

from __future__ import annotations

from metamapping.config.schema import RunConfig
from metamapping.rounds.records import Round
from metamapping.rounds.wording import count, describe_round
from metamapping.runs.corpus_notes import read_corpus_notes
from metamapping.runs.folder import RunFolder
from metamapping.runs.screen import Screen, Work, duration

# Steps after which the time of a step is known: among the first ones, many are compiled.
NUM_TIMED_STEPS = 25
# An estimate of less than this is not worth a line.
MIN_ESTIMATED_SECONDS = 60.0


def describe_plan(run: RunFolder) -> list[str]:
    """Say what was prepared, what looks suspicious about it, and what the run will do now.

    Args:
        run: An opened run.

    Returns:
        Lines for the screen.
    """
    notes = read_corpus_notes(run.corpus)
    prepared = f"prepared {count(len(run.corpus.tokens), 'source')}"
    if notes.left_out:
        prepared += f", left out {notes.left_out}"
    return [prepared, *(f"look at {remark}" for remark in notes.remarks), _describe_training(run)]


def describe_training_time(work: Work, round_number: int, config: RunConfig) -> str | None:
    """Estimate the time of all meta-steps once, as soon as the first round has taken a few of them.

    Args:
        work: The meta-steps of the round.
        round_number: Number of the round.
        config: The configuration of the run.

    Returns:
        A line for the screen after step ``NUM_TIMED_STEPS`` of round 1, otherwise ``None``.
    """
    left = work.seconds_left
    if round_number != 1 or work.done != NUM_TIMED_STEPS or left is None or work.total is None:
        return None
    seconds = left * work.total / max(1, work.total - work.done)
    max_rounds = config.convergence.max_rounds
    if seconds * max_rounds < MIN_ESTIMATED_SECONDS:
        return None
    line = f"the meta-steps of a round take about {duration(seconds)}"
    if max_rounds > 1:
        line += f", those of {max_rounds} rounds about {duration(seconds * max_rounds)}"
    return f"{line}; measuring the rounds comes on top"


def describe_judged_round(judged: Round, config: RunConfig, screen: Screen) -> str:
    """Describe a round, the time that it took, and how long the run can still take.

    Args:
        judged: The round.
        config: The configuration of the run.
        screen: Knows how long the rounds took; one that shows nothing does not.
    """
    if not screen.is_shown:
        return describe_round(judged)
    is_over = judged.verdict.is_final
    num_left = 0 if is_over else config.convergence.max_rounds - judged.report.round
    return f"{describe_round(judged)} ({screen.describe_lap(num_left)})"


def _describe_training(run: RunFolder) -> str:
    config, spec = run.config, run.config.convergence
    num_train, num_validation = (len(config.sources_with(role)) for role in ("train", "validation"))
    rounds = f"up to {spec.max_rounds} rounds" if spec.max_rounds > 1 else "1 round"
    steps = count(config.training.meta_steps, "meta-step")
    ends = f", ends after {spec.patience} without a gain" if spec.patience < spec.max_rounds else ""
    done = len(run.read_history())
    resumed = f"; {done} done before" if done else ""
    return (
        f"training {run.run_id}: {rounds} × {steps} on {count(num_train, 'source')}, measured on "
        f"{count(num_validation, 'validation source')}{ends}{resumed}"
    )
