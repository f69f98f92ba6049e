"""The gate: whether a run is better than the one in production, by the rules of its configuration.

Both encoders are scored on the same held-out episodes, those of the candidate's own rows, so that the
difficulty of an episode cancels out. Where production was not measured on them already, it is measured now.
Only if its tokenizer is another one are the stored scores of both runs compared, as independent samples.

    decision = check_candidate(run, RunFolder(home, registry.production))
    decision.is_allowed, decision.sentence
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from pydantic import BaseModel, ConfigDict

from metamapping.config.sources import Role
from metamapping.errors import StoreError
from metamapping.models.keras_import import lean_keras
from metamapping.rounds.intervals import CONFIDENCE, Estimate, bootstrap_mean
from metamapping.rounds.records import CellScores
from metamapping.rounds.tables import markdown_table
from metamapping.rounds.wording import BEFORE, count
from metamapping.runs.folder import RunFolder
from metamapping.runs.label_spaces import read_spaces
from metamapping.runs.lock import exclusive
from metamapping.runs.measuring import TextsCallback, cell_of
from metamapping.runs.stored_scores import best_round, cells_of, same_episodes, unpaired
from metamapping.storage import remote

_ROLES: tuple[Role, ...] = ("validation", "test")

Pairs = list[tuple[CellScores, CellScores]]  # of production and the candidate


class SourceChange(BaseModel):
    """What a source would gain or lose by the promotion.

    Attributes:
        source: Name of the source.
        role: ``validation`` or ``test``.
        production: Mean score of the encoder in production.
        candidate: Mean score of the candidate.
        difference: The candidate minus production; the intervals of all sources hold together with 95 %.
    """

    model_config = ConfigDict(frozen=True)

    source: str
    role: Role
    production: float
    candidate: float
    difference: Estimate


class Decision(BaseModel):
    """What the rules say about a candidate.

    Attributes:
        candidate: ID of the run.
        production: ID of the run that it was compared with; ``None`` if none is in production.
        is_allowed: Whether the rules allow the promotion.
        sentence: Why.
        changes: All held-out sources, those that lose most first.
    """

    model_config = ConfigDict(frozen=True)

    candidate: str
    production: str | None
    is_allowed: bool
    sentence: str
    changes: list[SourceChange] = []

    def markdown(self) -> str:
        """Format the decision as Markdown: the sentence, and a table of the sources."""
        if not self.changes:
            return self.sentence
        rows = [
            [
                each.role,
                each.source,
                each.difference.signed,
                f"{each.production:.3f}",
                f"{each.candidate:.3f}",
            ]
            for each in self.changes
        ]
        # The form on the page of a run is 450 pixels wide; what does not fit is scrolled.
        columns = ["role", "source", "difference", "production", "candidate"]
        runs = f"In production is {self.production}, the candidate is {self.candidate}."
        return f"{self.sentence}\n\n{markdown_table(columns, rows)}\n\n{runs}"


@exclusive
def check_candidate(
    run: RunFolder, production: RunFolder | None, *, on_progress: TextsCallback | None = None
) -> Decision:
    """Compare a run with the one in production, and apply the rules of the run's configuration.

    The mean of the validation sources must clearly gain, and no validation or test source may clearly fall.

    Args:
        run: A run that has published.
        production: The run in production, or ``None``.
        on_progress: Called with a source's name and the number of texts just encoded.

    Raises:
        ConfigError: One of the runs does not exist.
        StoreError: A file of one of the runs is damaged.
        ValueError: The runs have different tokenizers and share no held-out source.
    """
    if production is None:
        return _first_decision(run)
    if best_round(run) == 0 and run.config.start == production.run_id:
        return Decision(
            candidate=run.run_id,
            production=production.run_id,
            is_allowed=False,
            sentence="No round has clearly beaten the encoder in production, which the run started from.",
        )
    pairs, is_paired = _pairs(run, production, on_progress)
    changes = sorted(_changes(pairs, is_paired=is_paired), key=lambda each: each.difference.mean)
    is_allowed, sentence = _judge(run, pairs["validation"], changes, is_paired=is_paired)
    return Decision(
        candidate=run.run_id,
        production=production.run_id,
        is_allowed=is_allowed,
        sentence=sentence,
        changes=changes,
    )


def _first_decision(run: RunFolder) -> Decision:
    """Without anything in production, a run must have beaten the encoder that it started from."""
    best = best_round(run)
    sentence = (
        f"No run is in production yet, and round {best} has clearly beaten {BEFORE}."
        if best
        else f"No round has clearly beaten {BEFORE}, and no run is in production yet."
    )
    return Decision(candidate=run.run_id, production=None, is_allowed=best > 0, sentence=sentence)


def _judge(run: RunFolder, pairs: Pairs, changes: list[SourceChange], *, is_paired: bool) -> tuple[bool, str]:
    rules = run.config.promotion
    falls = [each for each in changes if each.difference.high < -rules.max_source_fall - 1e-9]
    sources = count(len({cell.source for cell, _ in pairs}), "validation source")
    gain = _estimate(pairs, is_paired=is_paired, population=run.config.convergence.population)
    mean = f"the mean of {sources} changes by {gain.signed}"
    if falls:
        named = ", ".join(f"{each.source} ({each.role}) {each.difference.signed}" for each in falls)
        beyond = f" by more than {rules.max_source_fall:g}" if rules.max_source_fall else ""
        return False, f"Clearly worse than production{beyond}: {named}; {mean}."
    if not gain.low > rules.min_gain + 1e-9:
        needed = f" of more than {rules.min_gain:g}" if rules.min_gain else ""
        return False, f"No clear gain{needed} over production: {mean}."
    return True, f"Better than production: {mean}, and none of {len(changes)} held-out sources clearly falls."


def _changes(pairs: dict[Role, Pairs], *, is_paired: bool) -> Iterator[SourceChange]:
    names = [
        (role, name) for role in _ROLES for name in dict.fromkeys(cell.source for cell, _ in pairs[role])
    ]
    for role, name in names:
        own = [each for each in pairs[role] if each[0].source == name]
        # All sources are tested: their intervals together have the confidence of one (Bonferroni).
        confidence = 1 - (1 - CONFIDENCE) / len(names)
        yield SourceChange(
            source=name,
            role=role,
            production=float(np.mean([np.mean(cell.scores) for cell, _ in own])),
            candidate=float(np.mean([np.mean(cell.scores) for _, cell in own])),
            difference=_estimate(own, is_paired=is_paired, confidence=confidence),
        )


def _estimate(
    pairs: Pairs, *, is_paired: bool, confidence: float = CONFIDENCE, population: str = "sources"
) -> Estimate:
    if not is_paired:
        return _estimate_unpaired(pairs)
    groups: dict[str, list[np.ndarray]] = {}
    for old, new in pairs:
        groups.setdefault(old.source, []).append(np.subtract(new.scores, old.scores))
    return bootstrap_mean(
        list(groups.values()),
        population="episodes" if population == "episodes" else "sources",
        confidence=confidence,
    )


def _estimate_unpaired(pairs: Pairs) -> Estimate:
    """The wider of two intervals: over the differences of sources, and over the episodes of all sources.

    A few sources may change by the same by chance, so the interval over them alone would be too narrow.
    """
    over_sources = unpaired(pairs)
    names = dict.fromkeys(cell.source for cell, _ in pairs)
    if len(names) == 1:
        return over_sources
    of_sources = [unpaired([each for each in pairs if each[0].source == name]) for name in names]
    half = float(np.sqrt(sum(((each.high - each.low) / 2) ** 2 for each in of_sources))) / len(names)
    mean = over_sources.mean
    return Estimate(
        mean=mean, low=min(over_sources.low, mean - half), high=max(over_sources.high, mean + half)
    )


def _pairs(
    run: RunFolder, production: RunFolder, on_progress: TextsCallback | None
) -> tuple[dict[Role, Pairs], bool]:
    """The cells of both runs by role, and whether they were measured on the same episodes."""
    same_tokens = run.corpus.tokenizer.fingerprint == production.corpus.tokenizer.fingerprint
    found: dict[Role, Pairs] = {}
    for role in _ROLES:
        new = cells_of(run, role)
        old = (
            _of_production(run, production, role, on_progress) if same_tokens else cells_of(production, role)
        )
        found[role] = [(old[key], new[key]) for key in new if key in old]
    if not found["validation"]:
        raise ValueError(
            f"{run.run_id} and {production.run_id} have different tokenizers and share no validation source, "
            "so they cannot be compared: promote by hand, or start from production (`start: production`)"
        )
    return found, same_tokens


def _of_production(
    run: RunFolder, production: RunFolder, role: Role, on_progress: TextsCallback | None
) -> dict[tuple[str, int], CellScores]:
    """The scores of production on the episodes of a run, measured unless they are stored."""
    if run.config.start == production.run_id and run.read_result(f"{role}-0") is not None:
        return _read_cells(run, f"{role}-0")
    sources = [source.name for source in run.config.sources_with(role)]
    if all(same_episodes(production, run, source, role) for source in sources):
        return cells_of(production, role)
    name = f"{role}-of-{production.run_id}"
    if run.read_result(name) is None:
        cells = _measure(run, production, role, on_progress)
        run.write_result(name, {"cells": [cell.model_dump() for cell in cells]})
    return _read_cells(run, name)


def _read_cells(run: RunFolder, name: str) -> dict[tuple[str, int], CellScores]:
    result = run.read_result(name) or {}
    try:
        cells = [CellScores.model_validate(cell) for cell in result["cells"]]
    except (ValueError, LookupError, TypeError) as error:
        raise StoreError(f"{run.result(name)} does not hold scores: remove it, and try again") from error
    return {(cell.source, cell.shots): cell for cell in cells}


def _measure(
    run: RunFolder, production: RunFolder, role: Role, on_progress: TextsCallback | None
) -> list[CellScores]:
    """The scores of the published encoder of ``production`` on the episodes of ``run``."""
    with lean_keras():
        from metamapping.adaptation.evaluation import evaluation
        from metamapping.publishing.published_model import read_published

    config = run.config
    model = read_published(remote.open_folder(production.published))
    spaces = read_spaces(config, run.corpus, role)
    scores = evaluation.evaluate(
        model.encoder, model.mapping, spaces, config.evaluation, seed=config.seed, on_progress=on_progress
    )
    return [
        cell_of(space, config.evaluation, shots, scores[space.source, shots])
        for space in spaces
        for shots in config.evaluation.shots
    ]
