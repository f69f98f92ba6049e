"""`metamapping baseline`: what the encoder of a configuration scores without meta-training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from metamapping.cli.options import JsonOption
from metamapping.cli.train import ConfigArgument, HomeOption, check_train_extra, read_settings

if TYPE_CHECKING:  # it imports NumPy
    from metamapping.config.sources import Role
    from metamapping.runs.baseline import BaselineCell


def baseline(
    config: ConfigArgument,
    home: HomeOption = None,
    test: Annotated[
        bool,
        typer.Option(
            "--test",
            help="Measure on the test sources. They are to be looked at once: choose nothing by them.",
        ),
    ] = False,
    tuned_episodes: Annotated[
        int,
        typer.Option(
            "--tuned-episodes",
            metavar="N",
            min=0,
            help="Also tune the encoder to the first N episodes of each source, at the most shots.",
        ),
    ] = 0,
    as_json: JsonOption = False,
) -> None:
    """Measure the encoder as it is on the validation sources: is meta-training worth it?

    The encoder is used with the closed form of this library and with plain logistic regression, on the
    episodes by which the rounds of a run are judged. If the run of the configuration has judged rounds, the
    best one is shown next to them. With --tuned-episodes, all methods are compared on those episodes with an
    encoder that is tuned to each, which takes about as long as `adapt --tune` for each.

    `metamapping baseline metamapping.yaml`
    """
    check_train_extra()
    from metamapping.cli.tables import print_json
    from metamapping.runs.baseline import best_round, measure_baseline, run_of
    from metamapping.runs.label_spaces import check_label_spaces, check_run
    from metamapping.runs.pipeline import prepare_on_screen
    from metamapping.runs.progress import count_sources, load_tensorflow
    from metamapping.runs.screen import Screen

    settings = read_settings(config, home)
    check_run(settings)
    role: Role = "test" if test else "validation"
    sources = [source.name for source in settings.sources_with(role)]
    with Screen() as screen:
        corpus = prepare_on_screen(settings).corpus
        check_label_spaces(settings, corpus)
        load_tensorflow()
        # Once with the closed form, and once with logistic regression.
        with screen.work(f"measuring the encoder: {role} sources, two methods", 2 * len(sources)) as work:
            cells = measure_baseline(
                settings,
                corpus,
                role=role,
                tuned_episodes=tuned_episodes,
                on_progress=count_sources(work, sources),
                on_tuned=lambda source: work.advance(2 * len(sources), f"tuning to {source}"),
            )
    if as_json:
        print_json([vars(cell) for cell in cells])
        return
    _print_cells(cells)
    _print_tuned(cells)
    _print_means(cells, best=best_round(run_of(settings, corpus)))


def _print_cells(cells: Sequence[BaselineCell]) -> None:
    from metamapping.cli.tables import print_lines

    columns = ["source", "shots", "closed form", "logistic regression"]
    if any(cell.trained for cell in cells):
        columns.append("meta-trained")
    rows = [
        [
            cell.source,
            str(cell.shots),
            *map(_score, (cell.closed_form, cell.logistic_regression, cell.trained)),
        ]
        for cell in cells
    ]
    print_lines(columns, [row[: len(columns)] for row in rows])


def _print_tuned(cells: Sequence[BaselineCell]) -> None:
    """Means of all methods over the episodes to which the encoder was tuned; too few for intervals."""
    from metamapping.cli.tables import print_lines

    rows = []
    for cell in cells:
        if cell.tuned:
            count, methods = len(cell.tuned), [cell.tuned, cell.closed_form, cell.logistic_regression]
            means = [_mean(scores[:count] if scores else None) for scores in (*methods, cell.trained)]
            rows.append([cell.source, str(cell.shots), str(count), *means])
    if rows:
        print("\nMeans over the first episodes, with the encoder tuned to each:")
        columns = ["source", "shots", "episodes", "tuned", "closed form", "logistic regression"]
        columns += ["meta-trained"] * any(cell.trained for cell in cells)
        print_lines(columns, [row[: len(columns)] for row in rows])


def _print_means(cells: Sequence[BaselineCell], *, best: int | None) -> None:
    """The differences between the methods, over all sources."""
    from metamapping.runs.baseline import mean_difference

    print()
    logistic = mean_difference(cells, lambda c: c.closed_form, lambda c: c.logistic_regression)
    if logistic is not None:
        print(f"Closed form over logistic regression, from one shot on: {logistic.signed}")
    gain = mean_difference(cells, lambda c: c.trained, lambda c: c.closed_form)
    over_logistic = mean_difference(cells, lambda c: c.trained, lambda c: c.logistic_regression)
    if best == 0:
        print("Meta-training: none of the rounds so far was clearly better than the encoder as it is.")
    elif gain is None:
        print("Meta-training: not measured yet; after `metamapping train`, this command shows its gain.")
    if gain is None:
        return
    print(f"Meta-trained over the closed form of the encoder before: {gain.signed}")
    if over_logistic is not None:
        print(f"Meta-trained over logistic regression on the encoder before: {over_logistic.signed}")
    answer = (
        "it is, on sources like these"
        if gain.is_gain
        else "it is not: use the encoder as it is"
        if gain.is_loss or gain.mean <= 0
        else "not clear from these sources"
    )
    print(f"Is meta-training worth it? {answer}.")
    print("The best round was chosen by the validation sources, so its gain there is an upper estimate.")


def _score(scores: list[float] | None) -> str:
    from metamapping.rounds.intervals import mean_with_interval

    return "–" if scores is None else str(mean_with_interval(scores))


def _mean(scores: Sequence[float] | None) -> str:
    return "–" if scores is None else f"{sum(scores) / len(scores):.3f}"
