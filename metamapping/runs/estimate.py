"""Estimate: about how long a run takes on this machine, measured on a few batches of its own encoder.

Input: a configuration and its prepared corpus. Output: the seconds of each part. Nothing is kept: the steps
are taken on a learner that is thrown away.

    estimate = estimate_time(config, corpus)
    estimate.round_seconds, estimate.run_seconds
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import numpy as np

from metamapping.config.schema import RunConfig
from metamapping.config.sources import Role
from metamapping.corpus.prepared import Corpus
from metamapping.episodes.label_space import LabelSpace
from metamapping.models.keras_import import lean_keras
from metamapping.runs.label_spaces import read_spaces

if TYPE_CHECKING:  # it imports TensorFlow, which takes seconds
    from metamapping.training.learner import Learner

_MIN_STEPS, _MAX_STEPS = 2, 6
_MAX_SECONDS = 20.0
_NUM_TEXTS, _NUM_EPISODES = 64, 2


@dataclass(frozen=True)
class TimeEstimate:
    """How long the parts of a run take.

    Attributes:
        step_seconds: A meta-step.
        start_seconds: Compiling the meta-step, once.
        round_seconds: A round: its meta-steps and its evaluation.
        test_seconds: The evaluation on the test sources, once.
        max_rounds: The largest number of rounds.
    """

    step_seconds: float
    start_seconds: float
    round_seconds: float
    test_seconds: float
    max_rounds: int

    @property
    def run_seconds(self) -> float:
        """The run with the largest number of rounds."""
        return self.start_seconds + self.max_rounds * self.round_seconds + self.test_seconds


def estimate_time(config: RunConfig, corpus: Corpus) -> TimeEstimate:
    """Take a few meta-steps and evaluate a few episodes, and extrapolate.

    Args:
        config: The configuration. If several machines are to share the training, one is measured.
        corpus: Its prepared sources.

    Raises:
        ConfigError: The encoder cannot be read, or a source cannot be drawn from.
    """
    with lean_keras():
        from metamapping.training.learner import build_learner

    training = config.training
    if training.devices == "multi-worker":
        training = training.model_copy(update={"devices": "one"})
    learner = build_learner(
        config.encoder, training, vocabulary_size=corpus.vocabulary_size, seed=config.seed
    )
    config = config.model_copy(update={"training": training})
    held_out: dict[Role, list[LabelSpace]] = {
        role: read_spaces(config, corpus, role) for role in ("validation", "test")
    }
    kinds: dict[tuple[bool, bool], list[LabelSpace]] = {}
    for space in (space for spaces in held_out.values() for space in spaces):
        kinds.setdefault(_kind_of(space), []).append(space)
    costs = {kind: _measure_episodes(learner, config, spaces) for kind, spaces in kinds.items()}
    evaluation = {
        role: sum(_evaluation_seconds(config, space, costs[_kind_of(space)]) for space in spaces)
        for role, spaces in held_out.items()
    }
    train = read_spaces(config, corpus, "train")
    step, start = _measure_steps(learner, config, train)
    return TimeEstimate(
        step_seconds=step,
        # The encoder before training is evaluated, too, with the first round and with the test.
        start_seconds=start + evaluation["validation"],
        round_seconds=step * training.meta_steps + evaluation["validation"],
        test_seconds=2 * evaluation["test"],
        max_rounds=config.convergence.max_rounds,
    )


def _kind_of(space: LabelSpace) -> tuple[bool, bool]:
    """What decides the time of an episode's algebra: whether words are labelled, or several labels a text."""
    return space.is_ner, space.is_multi_label


class _EnoughStepsError(Exception):
    """Ends the training once enough steps are measured."""


def _measure_steps(learner: Learner, config: RunConfig, spaces: Sequence[LabelSpace]) -> tuple[float, float]:
    """Seconds of a meta-step, and of compiling it."""
    from metamapping.training.loop import RoundPlan, train_round
    from metamapping.training.replicas import Replicas

    times = [time.monotonic()]

    def record(step: int, loss: float) -> None:
        times.append(time.monotonic())
        if step > _MIN_STEPS and times[-1] - times[0] > _MAX_SECONDS:
            raise _EnoughStepsError

    steps = {"meta_steps": _MAX_STEPS, "checkpoint_every_steps": _MAX_STEPS + 1}
    training = config.training.model_copy(update=steps)
    plan = RoundPlan(1, config.seed, 0, config.episodes, training)
    with tempfile.TemporaryDirectory() as folder, suppress(_EnoughStepsError):
        train_round(Replicas(learner, training), spaces, plan, folder=Path(folder) / "p", on_step=record)
    seconds = np.diff(times)
    # Every new length of batches is compiled: what takes far longer than usual happens once.
    usual = float(median(seconds))
    is_usual = seconds <= 2 * usual
    step = float(seconds[is_usual].mean())
    return step, float((seconds[~is_usual] - step).sum())


@dataclass(frozen=True)
class _EpisodeCosts:
    text_seconds: float
    episode_seconds: float


def _measure_episodes(learner: Learner, config: RunConfig, spaces: Sequence[LabelSpace]) -> _EpisodeCosts:
    """Seconds of encoding a text, and of an episode's algebra, on the first of some sources of one kind."""
    from metamapping.adaptation.evaluation.evaluation import evaluate

    space, spec = spaces[0], config.evaluation.model_copy(update={"num_episodes": _NUM_EPISODES})
    rows = np.arange(min(space.num_rows, _NUM_TEXTS))
    starts = None if space.word_starts is None else space.word_starts.take(rows)
    arguments = space.token_ids.take(rows), space.segment_ids.take(rows), starts
    evaluate(learner.encoder, learner.mapping, [space], spec, seed=config.seed)  # compiles
    started = time.monotonic()
    learner.encoder.encode(*arguments)
    text = (time.monotonic() - started) / len(rows)
    started = time.monotonic()
    evaluate(learner.encoder, learner.mapping, [space], spec, seed=config.seed)
    num_texts, num_episodes = _num_texts(config, space, _NUM_EPISODES), _NUM_EPISODES * len(spec.shots)
    episode = max(0.0, time.monotonic() - started - text * num_texts) / num_episodes
    return _EpisodeCosts(text, episode)


def _evaluation_seconds(config: RunConfig, space: LabelSpace, costs: _EpisodeCosts) -> float:
    spec = config.evaluation
    num_texts = _num_texts(config, space, spec.num_episodes)
    return costs.text_seconds * num_texts + costs.episode_seconds * spec.num_episodes * len(spec.shots)


def _num_texts(config: RunConfig, space: LabelSpace, num_episodes: int) -> int:
    """The number of different texts of a source's episodes, each of which is encoded once."""
    from metamapping.adaptation.evaluation.evaluation import draw_episodes

    spec = config.evaluation.model_copy(update={"num_episodes": num_episodes})
    drawn = draw_episodes(space, spec, seed=config.seed)
    rows = [rows for episodes in drawn.values() for e in episodes for rows in (e.support, e.query)]
    return len(np.unique(np.concatenate(rows)))
