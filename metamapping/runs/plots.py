"""Plots of a run as PNG bytes: the learning curve, the similarity of sources, the comparison of runs.

No window is opened and no file is written. Matplotlib is imported with the first plot, and only its Agg
backend, which needs no window system.

    Path("learning-curve.png").write_bytes(learning_curve_png(history))
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

from metamapping.config.sources import TaskType
from metamapping.errors import needs_train_extra
from metamapping.rounds.intervals import Estimate
from metamapping.rounds.metrics import score_names
from metamapping.rounds.records import Round, RoundReport
from metamapping.rounds.statistics import round_accuracy
from metamapping.training.source_selection import Selection

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from metamapping.runs.comparison import Comparison

MEAN_COLOUR = "#1f3b73"
COLOURS: dict[TaskType, str] = {
    "ner": "#c45a11",
    "sentiment-analysis": "#2e7d32",
    "text-classification": "#7b3fa0",
}


def learning_curve_png(history: Sequence[Round]) -> bytes:
    """Accuracy on the validation sources by round: with its 95 % interval, and by task type.

    Round 0 and the dotted line are the encoder before meta-training. A ring marks the round to publish,
    the move that a round tried is written below its number, and a cross marks rounds that diverged.

    Args:
        history: The judged rounds, at least one.

    Returns:
        The PNG file's bytes.

    Raises:
        ValueError: There are no rounds.
    """
    if not history:
        raise ValueError("no rounds to draw: judge at least one round first")
    figure, axes = _new_figure(max(6.4, 1.2 * len(history) + 3), 4.2)
    reports = [history[0].report.untrained(), *(judged.report for judged in history)]
    _draw_task_types(axes, reports)
    _draw_mean(axes, reports)
    _draw_verdicts(axes, history)
    axes.set_xticks(range(len(reports)), _round_labels(history))
    axes.set_xlabel("round, and what it tried")
    axes.set_ylabel(score_names(reports[0]))
    axes.set_title(_first_sentence(history), fontsize=9, wrap=True)
    axes.grid(axis="y", alpha=0.3)
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=8, frameon=False)
    return _png(figure)


def similarity_png(selection: Selection) -> bytes:
    """The similarity of every pair of sources as a heat map; the chosen ones come first, in bold.

    Args:
        selection: A selection of mode ``related``.

    Returns:
        The PNG file's bytes.

    Raises:
        ValueError: No similarities were measured.
    """
    if not selection.similarity:
        raise ValueError("no similarities to draw: they are measured where `selection.mode` is `related`")
    chosen = selection.chosen
    first = [*(each.source for each in selection.sources)]
    names = [*first, *(name for name in selection.names if name not in first)]
    order = [selection.names.index(name) for name in names]
    size = 2.5 + 0.3 * len(names)
    figure, axes = _new_figure(size + 1.2, size)
    values = [[selection.similarity[i][j] for j in order] for i in order]
    image = axes.imshow(values, vmin=0.0, vmax=1.0, cmap="viridis")
    axes.set_xticks(range(len(names)), names, rotation=90, fontsize=8)
    axes.set_yticks(range(len(names)), names, fontsize=8)
    for label in [*axes.get_xticklabels(), *axes.get_yticklabels()]:
        label.set_fontweight("bold" if label.get_text() in chosen else "normal")
    axes.set_title(f"similarity of sources; bold: the {len(chosen)} that are trained on", fontsize=9)
    figure.colorbar(image, ax=axes, shrink=0.7)
    return _png(figure)


def comparison_png(comparison: Comparison) -> bytes:
    """Plot the second run minus the first, with 95 % intervals: means first, then each source.

    Args:
        comparison: The comparison of two runs.

    Returns:
        The PNG file's bytes.
    """
    rows = comparison.measured
    figure, axes = _new_figure(7.5, 1.6 + 0.28 * len(rows))
    for height, row in enumerate(reversed(rows)):
        estimate = row.difference
        arms = [[estimate.mean - estimate.low], [estimate.high - estimate.mean]]
        axes.errorbar(
            [estimate.mean],
            [height],
            xerr=arms,
            color=MEAN_COLOUR if row.what.startswith("all ") else "#777777",
            marker="o" if row.is_paired else "s",
            capsize=3,
        )
    axes.axvline(0.0, color="black", linewidth=0.8, linestyle=":")
    axes.set_yticks(range(len(rows)), [f"{row.what} ({row.role})" for row in reversed(rows)], fontsize=8)
    axes.set_xlabel("second minus first; squares: different episodes", fontsize=8)
    axes.set_title(f"first: {comparison.first}\nsecond: {comparison.second}", fontsize=8, loc="left")
    return _png(figure)


def _new_figure(width: float, height: float) -> tuple[Figure, Axes]:
    with needs_train_extra("drawing a plot"):
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.add_subplot()


def _png(figure: Figure) -> bytes:
    png = io.BytesIO()
    figure.savefig(png, format="png", dpi=120, metadata={"Software": "metamapping"})
    return png.getvalue()


def _draw_mean(axes: Axes, reports: Sequence[RoundReport]) -> None:
    estimates = [round_accuracy(report) for report in reports]
    axes.errorbar(
        range(len(reports)),
        [estimate.mean for estimate in estimates],
        yerr=[[e.mean - e.low for e in estimates], [e.high - e.mean for e in estimates]],
        color=MEAN_COLOUR,
        marker="o",
        capsize=3,
        linewidth=2,
        label="mean of sources, 95 %",
        zorder=3,
    )
    axes.axhline(estimates[0].mean, color="grey", linestyle=":", label="before meta-training")


def _draw_task_types(axes: Axes, reports: Sequence[RoundReport]) -> None:
    present = {cell.task_type for report in reports for cell in report.cells}
    if len(present) < 2:
        return
    for task_type, colour in COLOURS.items():
        if task_type in present:
            means = [round_accuracy(report, task_type=task_type).mean for report in reports]
            axes.plot(range(len(reports)), means, color=colour, linewidth=1, label=task_type)


def _draw_verdicts(axes: Axes, history: Sequence[Round]) -> None:
    best = history[-1].verdict.best_round
    reports = {judged.report.round: judged.report for judged in history}
    published = reports[best] if best else history[0].report.untrained()
    axes.plot(
        [best],
        [round_accuracy(published).mean],
        marker="o",
        markersize=14,
        fillstyle="none",
        color="#b8860b",
        markeredgewidth=2,
        linestyle="none",
        label=f"best: round {best}",
        zorder=4,
    )
    diverged = [judged.report for judged in history if judged.verdict.diverged]
    heights: list[Estimate] = [round_accuracy(report) for report in diverged]
    if diverged:
        axes.plot(
            [report.round for report in diverged],
            [estimate.mean for estimate in heights],
            marker="x",
            markersize=12,
            color="#b00020",
            linestyle="none",
            label="diverged",
            zorder=4,
        )


def _round_labels(history: Sequence[Round]) -> list[str]:
    moves = ["", *(judged.move for judged in history)]
    rounds = [f"{judged.report.round}\n{move}".strip() for judged, move in zip(history, moves, strict=False)]
    return ["0\nbefore", *rounds]


def _first_sentence(history: Sequence[Round]) -> str:
    sentence, separator, _ = history[-1].verdict.sentence.partition(". ")
    return sentence + separator.strip()
