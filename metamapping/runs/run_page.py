"""The HTML page of a run: what came in, what each round gained, where it fails, and where everything is.

It is written into the run's folder as ``report.html``, next to ``published/``, after each judged round and
when the run has published. It quotes rows of the data, and so it is no part of the published folder, which
may be given away.

    write_run_page(run)                         # run.page
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

from metamapping import __version__
from metamapping.html.charts import Mark, draw_curve
from metamapping.html.rendering import render_page, to_bytes
from metamapping.publishing.layout import CARD, CURVE
from metamapping.rounds.metrics import score_name
from metamapping.rounds.records import Round, formatted
from metamapping.rounds.statistics import paired_difference, round_accuracy
from metamapping.rounds.tables import measures_table
from metamapping.rounds.wording import count, gain_of, round_name, state_words
from metamapping.runs.corpus_notes import read_corpus_notes
from metamapping.runs.folder import RunFolder
from metamapping.runs.page_tables import data_tables, failure_groups, gain_rows
from metamapping.runs.screen import duration
from metamapping.runs.summary import next_command, outcome_sentences, remarks, test_report
from metamapping.storage import remote


def write_run_page(run: RunFolder) -> Path:
    """Write the page of a run into its folder, atomically; an older one is replaced.

    Args:
        run: An opened run.

    Returns:
        The page's path on this machine, which may stand for an address (``remote.place_of``).

    Raises:
        StoreError: A file of the run is damaged.
    """
    remote.write_file(run.page, to_bytes(run_page(run)))
    return run.page


def run_page(run: RunFolder) -> str:
    """Build the page of a run, which need not be finished.

    Args:
        run: An opened run.

    Returns:
        An HTML document without references to anything that it loads.

    Raises:
        ConfigError: The run does not exist.
        StoreError: A file of the run is damaged.
    """
    config, history = run.config, run.read_history()
    tests = test_report(run, history) if run.has_published else None
    notes = read_corpus_notes(run.corpus)
    best = history[-1].verdict.best_round if history else None
    preset = config.encoder.preset
    return render_page(
        "run.html",
        title=f"{config.name}: report of a run",
        version=__version__,
        name=config.name,
        run_id=run.run_id,
        state=_state(run, history),
        encoder=f"from {preset}" if preset else "from random weights",
        outcome=[] if tests is None or not tests.cells else outcome_sentences(config, history, tests),
        tiles=list(_tiles(run, history)),
        remarks=[*(remarks(config, tests) if tests is not None and tests.cells else []), *notes.remarks],
        tests=gain_rows(tests) if tests is not None and tests.cells else [],
        test_measures=measures_table(tests) if tests is not None else [],
        best=None if best is None else str(best),
        score_name=score_name(history[0].report) if history else "score",
        curve=draw_curve(_marks(history)),
        diverged=[str(judged.report.round) for judged in history if judged.verdict.diverged],
        rounds=[_round_row(history, number) for number in range(len(history))],
        verdict=f"{state_words(history[-1].verdict).capitalize()}. {history[-1].verdict.sentence}"
        if history
        else "",
        adjustments=[
            {
                "after": judged.report.round,
                "field": change.field,
                "old": formatted(change.old),
                "new": formatted(change.new),
                "why": change.why,
            }
            for judged in history
            for change in judged.adjustments
        ],
        **_validation(history),
        failures=failure_groups(run, best),
        **data_tables(run, history),
        places=list(_places(run, notes.report)),
        next_command=next_command(run) if run.has_published else "",
        configuration=yaml.safe_dump(
            config.model_dump(mode="json", exclude_defaults=True), sort_keys=False, allow_unicode=True
        ),
    )


def _state(run: RunFolder, history: Sequence[Round]) -> str:
    if run.has_published:
        return "published"
    rounds = count(len(history), "round")
    return f"not published yet, {rounds} of at most {run.config.convergence.max_rounds}"


def _marks(history: Sequence[Round]) -> list[Mark]:
    """Round 0 and the judged rounds, by their accuracy on the validation sources."""
    if not history:
        return []
    reports = [history[0].report.untrained(), *(judged.report for judged in history)]
    accuracies = [(str(report.round), round_accuracy(report)) for report in reports]
    return [Mark(name, each.mean, each.low, each.high) for name, each in accuracies]


def _tiles(run: RunFolder, history: Sequence[Round]) -> Iterator[dict[str, str]]:
    """The numbers at the top: those of the test sources where they are measured, else of the rounds."""
    if not history:
        return
    report, what = history[-1].report, "validation sources, last round"
    if run.has_published and (tests := test_report(run, history)).cells:
        report, what = tests, "test sources"
    elif best := history[-1].verdict.best_round:
        report, what = history[best - 1].report, f"validation sources, round {best}"
    gain = paired_difference(report, report.untrained())
    tone = "good" if gain.is_gain else "bad" if gain.is_loss else ""
    yield _tile(f"{round_accuracy(report.untrained()).mean:.3f}", f"before meta-training, {what}")
    yield _tile(f"{round_accuracy(report).mean:.3f}", f"after, {what}")
    yield _tile(f"{gain.mean:+.3f}", f"gain; 95 % interval {gain.low:+.3f} to {gain.high:+.3f}", tone)
    trainings = [judged.report.training for judged in history]
    steps = sum(training.meta_steps for training in trainings)
    rounds = "round" if len(history) == 1 else "rounds"
    yield _tile(str(len(history)), f"{rounds}, {count(steps, 'meta-step')}")
    yield _tile(duration(sum(training.seconds for training in trainings)), "in meta-steps")


def _tile(value: str, what: str, tone: str = "") -> dict[str, str]:
    return {"value": value, "what": what, "tone": tone}


def _round_row(history: Sequence[Round], place: int) -> dict[str, Any]:
    judged, training = history[place], history[place].report.training
    gain, verdict = gain_of(judged.verdict), judged.verdict
    return {
        "number": judged.report.round,
        # A round's record names the move that the next round tries.
        "tried": history[place - 1].move if place else "",
        "accuracy": str(round_accuracy(judged.report)),
        "gain": "–" if gain is None else gain.signed,
        "over": f"round {verdict.compared_with}" if verdict.compared_with else "before",
        "verdict": state_words(verdict),
        "steps": f"{training.meta_steps:,}",
        "time": duration(training.seconds),
    }


def _validation(history: Sequence[Round]) -> dict[str, Any]:
    """The validation sources in the best round; in the last one where no round is better than before."""
    if not history:
        return {"validation": [], "validation_measures": [], "validation_of": ""}
    best = history[-1].verdict.best_round
    report = history[(best or len(history)) - 1].report
    what = f"the best round, {report.round}" if best else f"the last round, {report.round}"
    return {
        "validation": gain_rows(report),
        "validation_measures": measures_table(report),
        "validation_of": f"By source in {what}, next to {round_name(0)}.",
    }


def _places(run: RunFolder, data_report: str) -> Iterator[dict[str, str]]:
    """Where everything is; what lies on the same disk is linked relatively to the page."""
    places = {"folder of the run": run.place, "TensorBoard curves": remote.place_of(run.tensorboard)}
    if data_report:
        places["report of the data"] = data_report
    if run.has_published:
        published = remote.place_of(run.published)
        places |= {
            "published encoder": published,
            "model card": f"{published}/{CARD}",
            "learning curve": f"{published}/{CURVE}",
        }
    for what, path in places.items():
        yield {"what": what, "path": path, "link": _link(run, path)}


def _link(run: RunFolder, path: str) -> str:
    if "://" in path or not Path(path).exists():
        return ""
    relative = Path(os.path.relpath(path, run.path)).as_posix()
    # A name with a colon would be read as an address.
    return "" if ":" in relative else relative
