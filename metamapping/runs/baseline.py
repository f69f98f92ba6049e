"""Baseline: what the encoder of a configuration scores before any meta-training, on its held-out sources.

Input: a configuration and its prepared corpus. Output: for each held-out source and number of shots the
scores of the closed form and of logistic regression on the same episodes, and, if the run of this
configuration has judged rounds, of its best one. The episodes are those by which the run is judged.

    cells = measure_baseline(config, corpus, role="validation")
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from metamapping.config.schema import RunConfig
from metamapping.config.sources import Role, TaskType
from metamapping.corpus.prepared import Corpus
from metamapping.episodes.label_space import LabelSpace
from metamapping.errors import ConfigError
from metamapping.models.keras_import import lean_keras
from metamapping.rounds.intervals import Estimate, Group, bootstrap_mean
from metamapping.rounds.records import CellScores
from metamapping.runs.continuation import load_start_weights, with_start_of
from metamapping.runs.folder import RunFolder, run_id
from metamapping.runs.label_spaces import read_spaces
from metamapping.runs.measuring import TextsCallback

if TYPE_CHECKING:  # it imports TensorFlow
    from metamapping.training.learner import Learner


@dataclass(frozen=True)
class BaselineCell:
    """The scores of one held-out source at one number of shots, all on the same episodes.

    Attributes:
        source: Name of the source.
        task_type: Its task type.
        shots: Examples of each label.
        closed_form: The encoder as it is, with the closed form.
        logistic_regression: The encoder as it is, with logistic regression; ``None`` for zero shots.
        trained: The best round of the run; ``None`` if there is none, or it has not been measured.
        tuned: The encoder tuned to each of the first episodes; ``None`` where that was not asked for.
    """

    source: str
    task_type: TaskType
    shots: int
    closed_form: list[float]
    logistic_regression: list[float] | None
    trained: list[float] | None
    tuned: list[float] | None = None


def measure_baseline(
    config: RunConfig,
    corpus: Corpus,
    *,
    role: Role,
    tuned_episodes: int = 0,
    on_progress: TextsCallback | None = None,
    on_tuned: Callable[[str], None] | None = None,
) -> list[BaselineCell]:
    """Measure the encoder as it is on the held-out sources of a role.

    Args:
        config: The configuration.
        corpus: Its prepared sources.
        role: ``validation`` or ``test``.
        tuned_episodes: To how many episodes of each source of texts the encoder is tuned, at the most shots.
        on_progress: Called with a source's name and the number of texts just encoded.
        on_tuned: Called with a source's name before each of these episodes.

    Returns:
        A cell for each source and number of shots.

    Raises:
        ConfigError: The encoder cannot be read or tuned, or a source cannot be drawn from.
    """
    with lean_keras():
        from metamapping.adaptation.evaluation.evaluation import evaluate
        from metamapping.training.learner import build_learner
    from metamapping.adaptation.evaluation.baselines import score_logistic_regression

    learner = build_learner(
        config.encoder,
        # What is measured is always computed in float32, whatever the training.
        config.training.model_copy(update={"precision": "float32"}),
        vocabulary_size=corpus.vocabulary_size,
        seed=config.seed,
    )
    load_start_weights(with_start_of(config, corpus), learner)
    spaces, spec, seed = read_spaces(config, corpus, role), config.evaluation, config.seed
    encoder = learner.encoder
    closed = evaluate(encoder, learner.mapping, spaces, spec, seed=seed, on_progress=on_progress)
    logistic = score_logistic_regression(encoder, spaces, spec, seed=seed, on_progress=on_progress)
    trained = _trained_scores(config, corpus, role)
    tuned = _tuned_scores(config, corpus, learner, spaces, tuned_episodes, on_tuned)
    return [
        BaselineCell(
            source=space.source,
            task_type=space.task_type,
            shots=shots,
            closed_form=closed[space.source, shots],
            logistic_regression=logistic.get((space.source, shots)),
            trained=trained.get((space.source, shots)),
            tuned=tuned.get((space.source, shots)),
        )
        for space in spaces
        for shots in spec.shots
    ]


def run_of(config: RunConfig, corpus: Corpus) -> RunFolder:
    """Return the run of a configuration, which need not exist.

    Args:
        config: The configuration.
        corpus: Its prepared sources.
    """
    config = with_start_of(config, corpus)
    return RunFolder(config.home, run_id(config, corpus.fingerprints))


def best_round(run: RunFolder) -> int | None:
    """Return the round that a run would publish now; 0 is the encoder before training.

    Args:
        run: A run, which need not exist.

    Returns:
        The number of the round; ``None`` if none is judged yet.
    """
    history = run.read_history()
    return history[-1].verdict.best_round if history else None


def mean_difference(
    cells: Sequence[BaselineCell],
    new: Callable[[BaselineCell], list[float] | None],
    old: Callable[[BaselineCell], list[float] | None],
) -> Estimate | None:
    """The mean difference between two methods over the sources, episode by episode, with its 95 % interval.

    Args:
        cells: The cells of all sources.
        new: The scores of one method.
        old: The scores of the other.

    Returns:
        The difference over the cells that both have; ``None`` if there are none.
    """
    groups: dict[str, list[np.ndarray]] = {}
    for cell in cells:
        one, other = new(cell), old(cell)
        if one is not None and other is not None:
            groups.setdefault(cell.source, []).append(np.array(one) - np.array(other))
    values: list[Group] = list(groups.values())
    return bootstrap_mean(values) if values else None


def _tuned_scores(
    config: RunConfig,
    corpus: Corpus,
    learner: Learner,
    spaces: Sequence[LabelSpace],
    num_episodes: int,
    on_episode: Callable[[str], None] | None,
) -> dict[tuple[str, int], list[float]]:
    if not num_episodes:
        return {}
    from metamapping.adaptation.evaluation.tuned_episodes import score_tuned
    from metamapping.adaptation.featurizer import Featurizer
    from metamapping.publishing.published_model import PublishedModel

    model = PublishedModel(
        encoder=learner.encoder,
        mapping=learner.mapping,
        tokenizer_folder=corpus.tokenizer.fetch(),
        max_length_tokens=config.encoder.max_length_tokens,
        cleaning=config.cleaning,
    )
    try:
        return score_tuned(
            Featurizer(model, progress=False),
            spaces,
            config.evaluation,
            seed=config.seed,
            num_episodes=num_episodes,
            on_episode=on_episode,
        )
    except ValueError as error:
        raise ConfigError(f"the encoder cannot be tuned to an episode: {error}") from error


def _trained_scores(config: RunConfig, corpus: Corpus, role: Role) -> dict[tuple[str, int], list[float]]:
    """The scores of the best round of the configuration's run, where they were measured."""
    run = run_of(config, corpus)
    best = best_round(run) or 0
    done = run.read_result(f"{role}-{best}") if best else None
    cells = [CellScores.model_validate(cell) for cell in done["cells"]] if done else []
    return {(cell.source, cell.shots): cell.scores for cell in cells}
