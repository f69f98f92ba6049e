"""The scores that a run has stored, and the differences between those of two runs."""

from __future__ import annotations

import numpy as np

from metamapping.config.sources import Role
from metamapping.errors import StoreError
from metamapping.rounds.intervals import CONFIDENCE, UNKNOWN, Estimate, bootstrap_mean, mean_with_interval
from metamapping.rounds.records import CellScores
from metamapping.runs.folder import RunFolder


def paired(cells: list[tuple[CellScores, CellScores]]) -> Estimate:
    """Estimate the mean difference of cells that were measured on the same episodes.

    Args:
        cells: The cells of the old and the new run.
    """
    groups: dict[str, list[np.ndarray]] = {}
    for old, new in cells:
        groups.setdefault(old.source, []).append(np.subtract(new.scores, old.scores))
    return bootstrap_mean(list(groups.values()))


def unpaired(cells: list[tuple[CellScores, CellScores]]) -> Estimate:
    """Estimate the mean difference of cells that were measured on different episodes.

    Args:
        cells: The cells of the old and the new run.

    Returns:
        Student's interval over the differences of several sources; for one source, Welch's over episodes.
    """
    by_source: dict[str, list[tuple[CellScores, CellScores]]] = {}
    for each in cells:
        by_source.setdefault(each[0].source, []).append(each)
    if len(by_source) > 1:
        means = [
            mean_of_sources([new for _, new in own]) - mean_of_sources([old for old, _ in own])
            for own in by_source.values()
        ]
        return mean_with_interval(means)
    old, new = (np.concatenate([each[i].scores for each in cells]) for i in (0, 1))
    mean = float(new.mean() - old.mean())
    if not np.isfinite(mean) or min(len(old), len(new)) < 2:
        return UNKNOWN.model_copy(update={"mean": mean})
    from scipy.stats import ttest_ind  # takes a second to import, and is only needed here

    interval = ttest_ind(new, old, equal_var=False).confidence_interval(CONFIDENCE)
    return Estimate(mean=mean, low=float(interval.low), high=float(interval.high))


def mean_of_sources(cells: list[CellScores]) -> float:
    """Return the mean over sources, each of which counts by the mean of its cells.

    Args:
        cells: The cells of one run.
    """
    by_source: dict[str, list[float]] = {}
    for cell in cells:
        by_source.setdefault(cell.source, []).append(float(np.mean(cell.scores)))
    return float(np.mean([np.mean(means) for means in by_source.values()]))


def cells_of(run: RunFolder, role: Role) -> dict[tuple[str, int], CellScores]:
    """Read the scores of a run's best round on the held-out sources of a role.

    Args:
        run: The run.
        role: ``validation`` or ``test``.

    Returns:
        The scores by source and number of shots; empty if they were not measured.

    Raises:
        ConfigError: The run does not exist.
        StoreError: The file of scores is damaged.
        ValueError: The run has no judged round yet.
    """
    name = f"{role}-{best_round(run)}"
    result = run.read_result(name)
    try:
        cells = [CellScores.model_validate(cell) for cell in result["cells"]] if result else []
    except (ValueError, LookupError, TypeError) as error:
        raise StoreError(
            f"{run.result(name)} does not hold scores: remove it, and evaluating again will rebuild it"
        ) from error
    return {(cell.source, cell.shots): cell for cell in cells}


def best_round(run: RunFolder) -> int:
    """Return the number of the round to publish.

    Args:
        run: The run.

    Returns:
        The best round according to the last verdict; 0 is the encoder before meta-training.

    Raises:
        ConfigError: The run does not exist.
        StoreError: A file of the run is damaged.
        ValueError: The run has no judged round yet.
    """
    run_name = run.config.name  # raises if the run does not exist
    history = run.read_history()
    if not history:
        raise ValueError(
            f"run {run.run_id} of {run_name!r} has no judged round yet: let it finish a round before "
            "comparing it"
        )
    return history[-1].verdict.best_round


def same_episodes(first: RunFolder, second: RunFolder, source: str, role: Role) -> bool:
    """Whether both runs drew a source's episodes from the same rows by the same rules.

    Args:
        first: One run.
        second: The other run.
        source: Name of the source.
        role: ``validation`` or ``test``.
    """
    a, b = first.config, second.config
    if (a.seed, a.evaluation) != (b.seed, b.evaluation):
        return False
    one, other = (next((s for s in config.sources if s.name == source), None) for config in (a, b))
    if one is None or other is None:
        return False
    # The order of grades is that of the labels which episodes are drawn from.
    labels = [((each.label_roles or {}).get(role), each.ordinal) for each in (one, other)]
    return _data(first).get(source) == _data(second).get(source) and labels[0] == labels[1]


def _data(run: RunFolder) -> dict[str, str]:
    return {tokens.name: tokens.fingerprint for tokens in run.corpus.tokens}
