"""Measuring: the scores of a round's checkpoint on the held-out sources, stored in the run's folder.

What is stored is not measured again. The sources do not depend on each other, so that they can be measured
in other processes or on other machines, which need the run's folder and the store alone.

    cells = measure_stage(run, 3, role="validation")
    cells = measure_stage(run, 3, role="test", measure=on_workers)      # see tasks.measure
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from pydantic import BaseModel, ConfigDict

from metamapping.config.episodes import EvaluationSpec
from metamapping.config.sources import Role
from metamapping.episodes.label_space import LabelSpace
from metamapping.rounds.failures import EpisodeOutcome, SourceFailures, failures_of, measures_of
from metamapping.rounds.next_round import settings_of
from metamapping.rounds.records import Cell, CellScores
from metamapping.rounds.settings import AdjustableSettings
from metamapping.runs.folder import RunFolder
from metamapping.runs.label_spaces import read_spaces
from metamapping.runs.lock import exclusive
from metamapping.runs.session import session_of
from metamapping.training import checkpoints

TextsCallback = Callable[[str, int], None]


class Measured(BaseModel):
    """What the episodes of some sources showed.

    Attributes:
        cells: The scores of each source at each number of shots.
        failures: The failed episodes of each source, which results of earlier versions lack.
    """

    model_config = ConfigDict(frozen=True, ser_json_inf_nan="strings")

    cells: list[CellScores]
    failures: list[SourceFailures]


# Measures the held-out sources of a role: of a run, one of its rounds, the role, and a callback for progress.
Measure = Callable[[RunFolder, int, Role, TextsCallback | None], Measured]


def checkpoints_to_measure(run: RunFolder, round: int, role: Role) -> list[int]:
    """Return the rounds of which ``measure_stage`` has no stored scores yet.

    Args:
        run: An opened run.
        round: The round that is to be measured.
        role: ``validation`` or ``test``.

    Returns:
        The round, and 0 for the encoder before meta-training, in the order in which they are measured.
    """
    return [number for number in dict.fromkeys([round, 0]) if run.read_result(f"{role}-{number}") is None]


@exclusive
def measure_stage(
    run: RunFolder,
    round: int,
    *,
    role: Role,
    on_progress: TextsCallback | None = None,
    measure: Measure | None = None,
) -> list[Cell]:
    """Measure a round's checkpoint on the held-out sources of a role.

    Args:
        run: An opened run.
        round: A round with a checkpoint; 0 is the encoder before meta-training.
        role: ``validation`` or ``test``.
        on_progress: Called with a source's name and the number of texts just encoded.
        measure: Measures the sources. Default: this process, one after another.

    Returns:
        A cell for each source and number of shots; its baseline is round 0 on the same episodes.
    """
    scores = _stored(run, round, role, on_progress, measure or measure_sources)
    untrained = scores if round == 0 else _stored(run, 0, role, on_progress, measure or measure_sources)
    return [Cell.of(cell, before) for cell, before in zip(scores, untrained, strict=True)]


def _stored(
    run: RunFolder, round: int, role: Role, on_progress: TextsCallback | None, measure: Measure
) -> list[CellScores]:
    """The scores of a checkpoint, from the run's folder where they have been measured."""
    name = f"{role}-{round}"
    done = run.read_result(name)
    if done is None:
        done = measure(run, round, role, on_progress).model_dump()
        run.write_result(name, done)
    return [CellScores.model_validate(cell) for cell in done["cells"]]


def measure_sources(
    run: RunFolder,
    round: int,
    role: Role,
    on_progress: TextsCallback | None = None,
    *,
    only: Collection[str] | None = None,
) -> Measured:
    """Measure a round's checkpoint on held-out sources in this process, whatever is stored.

    A source is measured alike alone and with others.

    Args:
        run: An opened run.
        round: A round with a checkpoint; 0 is the encoder before meta-training.
        role: ``validation`` or ``test``.
        on_progress: Called with a source's name and the number of texts just encoded.
        only: Names of the sources; all of the role by default.

    Returns:
        The scores and the failures, sources in the configuration's order.
    """
    from metamapping.adaptation.evaluation import evaluation

    config = run.config
    # With the settings of the round's training, the learner that was built for it is used again.
    settings = settings_of(AdjustableSettings.of(config), run.read_history()[: max(round, 1) - 1])
    learner = session_of(run).learner(settings)
    checkpoints.load_weights(run.checkpoint(round), learner)
    spaces = read_spaces(config, run.corpus, role, only=only)
    failures: list[SourceFailures] = []
    measures: dict[tuple[str, int], dict[str, list[float]]] = {}

    def note(space: LabelSpace, outcomes: dict[int, list[EpisodeOutcome]]) -> None:
        failures.append(failures_of(space.source, space.task_type, outcomes))
        for shots, of_shots in outcomes.items():
            measures[space.source, shots] = measures_of(of_shots)

    scores = evaluation.evaluate(
        learner.encoder,
        learner.mapping,
        spaces,
        config.evaluation,
        seed=config.seed,
        on_progress=on_progress,
        on_outcomes=note,
    )
    cells = [
        cell_of(space, config.evaluation, shots, scores[space.source, shots], measures[space.source, shots])
        for space in spaces
        for shots in config.evaluation.shots
    ]
    return Measured(cells=cells, failures=failures)


def cell_of(
    space: LabelSpace,
    spec: EvaluationSpec,
    shots: int,
    scores: list[float],
    measures: dict[str, list[float]] | None = None,
) -> CellScores:
    """The scores of one held-out source at one number of shots.

    Args:
        space: The label space of the source.
        spec: The settings of the episodes.
        shots: Support examples per label.
        scores: The score of each episode.
        measures: What else was measured in each episode, by name.
    """
    return CellScores(
        source=space.source,
        task_type=space.task_type,
        shots=shots,
        scores=scores,
        # Where texts have any number of labels, their number says little about what chance would score.
        ways=0 if space.is_multi_label else min(spec.ways, len(space.labels)),
        metric="macro-F1" if space.is_multi_label else "",
        measures=measures or {},
    )
