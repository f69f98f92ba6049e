"""Tracked values: the settings and scores of a run as the flat, named values of a tracking server.

params_of(run)                              # {"training.meta_steps": "100", …}
round_values(judged)                        # {"validation_mean": 0.71, "loss": 0.4, …}
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from metamapping.rounds.records import Round, RoundReport
from metamapping.rounds.statistics import round_accuracy
from metamapping.runs.folder import RunFolder, deciding_settings


def params_of(run: RunFolder) -> dict[str, str]:
    """The settings that decide the result of a run, and the fingerprints of its corpus; they never change.

    Args:
        run: An opened run.
    """
    settings = deciding_settings(run.config)
    sources = settings.pop("sources")
    flat = {name: _text(value) for name, value in _flat(settings)}
    for each in sources:
        flat[f"sources.{each['name']}"] = f"{each['task_type']}, {each['role'] or 'several roles'}"
    flat["fingerprint.tokenizer"] = run.corpus.tokenizer.fingerprint
    flat |= {f"fingerprint.{tokens.name}": tokens.fingerprint for tokens in run.corpus.tokens}
    return {tracked_name(name): value for name, value in flat.items()}


def round_values(judged: Round) -> dict[str, float | None]:
    """What a round has measured: its scores on the validation sources, and how training went.

    Args:
        judged: The round with its verdict.
    """
    report = judged.report
    return score_values(report, "validation") | {
        "loss": report.training.loss,
        "learning_rate": report.training.learning_rate,
        "seconds": report.training.seconds,
        "gain": judged.verdict.gain,
        "gain_low": judged.verdict.gain_low,
        "gain_high": judged.verdict.gain_high,
    }


def score_values(report: RoundReport, role: str) -> dict[str, float | None]:
    """The mean over all sources with its interval, and each source over all numbers of shots.

    Args:
        report: What was measured.
        role: The role of its sources, which the names begin with.
    """
    mean = round_accuracy(report)
    scores: dict[str, float | None] = {
        f"{role}_mean": mean.mean,
        f"{role}_mean_low": mean.low,
        f"{role}_mean_high": mean.high,
    }
    for source in report.sources:
        of_source = [np.mean(cell.scores) for cell in report.cells if cell.source == source]
        scores[f"{role}.{source}"] = float(np.mean(of_source))
    return scores


def _flat(settings: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in settings.items():
        if isinstance(value, dict) and value:
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _text(value: Any) -> str:
    return json.dumps(value) if isinstance(value, list | dict) else str(value)


def tracked_name(name: str) -> str:
    """A name with the characters that MLflow allows; that of a source may have others.

    Args:
        name: The name of a value.
    """
    return re.sub(r"[^\w./ -]", "_", name)
