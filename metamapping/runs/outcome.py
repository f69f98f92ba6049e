"""The outcome of a finished run, for people: whether it has beaten the untrained encoder, and by how much.

outcome = outcome_of(run)
print(outcome.sentence)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import pandas as pd

from metamapping.corpus.report import markdown_table
from metamapping.errors import StoreError
from metamapping.rounds.records import Cell, RoundReport
from metamapping.rounds.statistics import paired_difference, round_accuracy
from metamapping.rounds.tables import rounds_markdown, source_shots_markdown
from metamapping.rounds.wording import BEFORE, count
from metamapping.runs.folder import RunFolder
from metamapping.runs.gate import Decision
from metamapping.runs.page_tables import failure_groups
from metamapping.runs.registry import Registry
from metamapping.runs.screen import duration
from metamapping.storage.remote import place_of

_MAX_CONFUSED = 3  # for each source; the page of the run has more


class Outcome(NamedTuple):
    """What a published run has reached.

    Attributes:
        has_improved: Whether a trained round is published; otherwise it is the untrained encoder.
        sentence: The verdict, the scores on the test sources and the place, in one line.
    """

    has_improved: bool
    sentence: str


def outcome_of(run: RunFolder) -> Outcome:
    """Describe what a run has published.

    Args:
        run: A run that has published.

    Raises:
        ConfigError: The run does not exist.
        StoreError: A file of the run is damaged.
    """
    verdict, report = run.read_history()[-1].verdict, _test_report(run)
    parts = [verdict.sentence]
    if verdict.best_round > 0 and report is not None:
        gain = paired_difference(report, report.untrained())
        parts.append(f"Test sources: {round_accuracy(report)}, {gain.signed} over {BEFORE}.")
    what = f"round {verdict.best_round}" if verdict.best_round else BEFORE
    parts.append(f"Published, {what}: {place_of(run.published)}")
    return Outcome(verdict.best_round > 0, " ".join(parts))


def summary_markdown(run: RunFolder, decision: Decision | None = None, *, links: Sequence[str] = ()) -> str:
    """Describe a run so far as Markdown: the verdict, its rounds, the test sources, and where everything is.

    Args:
        run: An opened run.
        decision: What the rules say about its promotion; ``None`` before they are asked.
        links: Links to pages about it, as Markdown.

    Raises:
        ConfigError: The run does not exist.
        StoreError: A file of the run is damaged.
    """
    history = run.read_history()
    parts = [f"# {run.run_id}"]
    if run.has_published:
        outcome = outcome_of(run)
        parts.append(f"**{'Published' if outcome.has_improved else 'No improvement'}.** {outcome.sentence}")
    elif history:
        verdict = history[-1].verdict
        parts.append(f"**{verdict.state}.** {verdict.sentence}")
    else:
        parts.append("No round is judged yet.")
    parts += [sentence for sentence in (_promotion(run), time_left(run)) if sentence]
    if decision is not None:
        parts += ["## Against production", decision.markdown()]
    if history:
        parts += ["## Rounds", "Means of the validation sources, 95 % intervals.", rounds_markdown(history)]
    report = _test_report(run)
    if report is not None:
        parts += ["## Test sources", source_shots_markdown(report)]
    if history and (failures := _confused(run, history[-1].verdict.best_round)):
        parts += ["## Most confused labels", markdown_table(pd.DataFrame(failures))]
    places = {"folder of the run": run.path, "TensorBoard curves": run.tensorboard}
    if run.has_page:
        places = {"report, a page for the browser": run.page} | places
    if run.has_published:
        places |= {"published encoder": run.published, "model card": run.published / "README.md"}
    where = [f"- {what}: `{place_of(path)}`" for what, path in places.items()]
    parts += ["## Where", "\n".join([*(f"- {link}" for link in links), *where])]
    return "\n\n".join(parts) + "\n"


def time_left(run: RunFolder) -> str:
    """Say how many rounds a run can still train and how long their meta-steps take; empty after the last one.

    Args:
        run: An opened run.
    """
    history, spec = run.read_history(), run.config.convergence
    if history and history[-1].verdict.is_final:
        return ""
    num_left = spec.max_rounds - len(history)
    rounds = f"At most {count(num_left, 'more round' if history else 'round')}"
    seconds = [judged.report.training.seconds for judged in history if judged.report.training.meta_steps]
    if not seconds:
        return f"{rounds} of {count(run.config.training.meta_steps, 'meta-step')}."
    usual = sum(seconds) / len(seconds)
    total = duration(num_left * usual)
    return f"{rounds}, whose meta-steps take about {total}; measuring the rounds comes on top."


def _promotion(run: RunFolder) -> str:
    """What was decided about a run that has published; empty as long as nothing is."""
    entry = Registry(run.path.parent.parent).decision(run.run_id) if run.has_published else None
    if entry is None:
        return ""
    words = {"promote": "Promoted", "refuse": "Not promoted"}.get(entry.action, "Nobody has decided")
    return f"**{words}** by {entry.by}, {entry.at:%Y-%m-%d %H:%M} UTC: {entry.why}"


def _confused(run: RunFolder, best: int) -> list[dict[str, str]]:
    """The labels that the best round confuses most, for each held-out source."""
    return [
        {
            "source": source.source,
            "role": group["role"],
            "label": pair.gold or "no entity",
            "taken for": pair.predicted or "no entity",
            "how often": f"{pair.count:,} of {pair.out_of:,}" if pair.out_of else f"{pair.count:,}",
        }
        for group in failure_groups(run, best)
        for source in group["failures"]
        for pair in source.confused[:_MAX_CONFUSED]
    ]


def _test_report(run: RunFolder) -> RoundReport | None:
    """The scores on the test sources next to the untrained encoder's; ``None`` before they are measured."""
    history = run.read_history()
    best = history[-1].verdict.best_round if history else 0
    scores, untrained = run.read_result(f"test-{best}"), run.read_result("test-0")
    if not history or scores is None or untrained is None:
        return None
    try:
        cells = [
            Cell.model_validate({**cell, "baseline": before["scores"]})
            for cell, before in zip(scores["cells"], untrained["cells"], strict=True)
        ]
    except (ValueError, LookupError, TypeError) as error:
        raise StoreError(
            f"{run.result(f'test-{best}')} does not hold scores: remove it, and publishing rebuilds it"
        ) from error
    judged = history[max(best, 1) - 1].report
    return RoundReport(round=best, checkpoint=judged.checkpoint, training=judged.training, cells=cells)
