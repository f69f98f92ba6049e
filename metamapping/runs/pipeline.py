"""The pipeline: a whole run, from sources to a published encoder, as plain function calls.

Input: a configuration. Output: the run, with its published folder. The flow ``meta-pretraining`` calls the
same stages as Prefect flows. Both find the same run by its id and skip what is finished, so that a run which
was begun one way can be continued the other way. Both show the same on a ``Screen``, if one is open.

    with Screen():
        run = run_pipeline(config)
    run.published
"""

from __future__ import annotations

import pyarrow as pa

from metamapping.config.schema import PRETRAINED, RunConfig
from metamapping.corpus.preparation import PreparedCorpus, prepare_corpus
from metamapping.rounds.records import Round
from metamapping.rounds.wording import count
from metamapping.runs.continuation import pin_start, tokenizer_of_start
from metamapping.runs.corpus_changes import changes_since_last_run
from metamapping.runs.folder import RunFolder
from metamapping.runs.label_noise import CheckedLabels, check_label_noise, not_checked, rows_to_reject
from metamapping.runs.measuring import checkpoints_to_measure
from metamapping.runs.plan import describe_judged_round, describe_plan, describe_training_time
from metamapping.runs.progress import count_sources, load_tensorflow, show_rows
from metamapping.runs.promotion import apply_rules, check_promotion, describe_promotion, is_undecided
from metamapping.runs.publish_best import publish_stage
from metamapping.runs.registry import current_user
from metamapping.runs.round_training import train_stage
from metamapping.runs.screen import current_screen
from metamapping.runs.select_sources import select_stage
from metamapping.runs.stages import (
    adjust_stage,
    evaluate_stage,
    initialise_stage,
    open_run,
)
from metamapping.runs.suspicions import HELD_OUT
from metamapping.runs.unfinished import unfinished_runs
from metamapping.storage.artifacts import Reference


def run_pipeline(config: RunConfig) -> RunFolder:
    """Prepare the corpus, select sources, train rounds until the verdict is final, publish the best one.

    Args:
        config: The configuration, which ``label_spaces.check_run`` has accepted.

    Returns:
        The finished run.

    Raises:
        ConfigError: The configuration cannot be run.
        StoreError: Something in the store or the run's folder is damaged.
    """
    screen = current_screen()
    corpus = prepare_on_screen(config, keep_start=True).corpus
    rows = {tokens.name: tokens.counts["rows_out"] for tokens in corpus.tokens}
    changes = changes_since_last_run(config.home, config.name, rows, corpus.report)
    run = open_run(config, corpus)
    for sentence in (*changes, *unfinished_runs(run, config)):
        screen.say(f"look at {sentence}")
    return finish_run(run)


def finish_run(run: RunFolder) -> RunFolder:
    """Take a run that was opened to its end: its own configuration and rows decide, not the sources of now.

    Args:
        run: An opened run, possibly of an earlier release.

    Returns:
        The finished run.

    Raises:
        ConfigError: The run cannot be finished.
        StoreError: Something in the store or the run's folder is damaged, or was removed.
    """
    screen, config = current_screen(), run.config
    for line in describe_plan(run):
        screen.say(line)
    screen.begin_laps()
    if config.selection.mode != "all":
        _select(run)
    for number in range(1, config.convergence.max_rounds + 1):
        history = run.read_history()
        judged = history[number - 1] if len(history) >= number else _run_round(run, number)
        screen.say(describe_judged_round(judged, config, screen))
        if judged.verdict.is_final:
            break
    _publish(run)
    _promote(run)
    return run


def prepare_on_screen(config: RunConfig, *, keep_start: bool = False) -> PreparedCorpus:
    """Prepare the corpus of a configuration, and show it on the screen.

    Args:
        config: The configuration.
        keep_start: Whether what is in production now stays the start of these rows and settings.

    Raises:
        ConfigError: The corpus cannot be prepared.
        StoreError: A stage is damaged, or the store cannot be written.
    """
    checked: list[CheckedLabels] = []

    def find_suspicious(examples: list[Reference]) -> dict[str, pa.Table]:
        if not_checked(config) is not None and config.label_noise.action != "reject":
            return {}
        screen = current_screen()
        with screen.work("checking labels: sources", len(config.sources)) as work:
            found = check_label_noise(config, examples, on_source=work.advance, on_problem=screen.say)
        checked.extend(found)
        return rows_to_reject(config, checked)

    with current_screen().work(f"preparing {count(len(config.sources), 'source')}"):
        pinned = pin_start(config, keep=keep_start)
        prepared = prepare_corpus(
            pinned, tokenizer=tokenizer_of_start(pinned), show=show_rows, find_suspicious=find_suspicious
        )
    for each in checked:
        if each.stage.counts["suspicious"]:
            current_screen().say(each.sentence)
    if config.start == PRETRAINED:
        return prepared
    return prepared._replace(corpus=prepared.corpus.model_copy(update={"start": pinned.start}))


def _promote(run: RunFolder) -> None:
    """Decide whether the published encoder goes into production, by the rules of the configuration."""
    screen, by = current_screen(), current_user()
    if not is_undecided(run):
        return
    total = sum(len(run.config.sources_with(role)) for role in HELD_OUT)
    with screen.work("comparing with production", total) as work:
        names = [source.name for role in HELD_OUT for source in run.config.sources_with(role)]
        decision = check_promotion(run, by=by, on_progress=count_sources(work, names))
    if decision is not None:
        result = apply_rules(run, decision, by=by)
        screen.say(f"{describe_promotion(result, run.run_id)} {result.sentence}")


def _select(run: RunFolder) -> None:
    screen, total = current_screen(), len(run.config.sources_with("train"))
    with screen.work("similarity of sources", total) as work:
        selection = select_stage(run, on_source=lambda done, source: work.advance(min(done, total), source))
    screen.say(f"selected {len(selection.chosen)} of {total} train sources")


def _run_round(run: RunFolder, number: int) -> Round:
    """Train, evaluate and judge a round."""
    _train(run, number)
    sources = [source.name for source in run.config.sources_with("validation")]
    passes = len(checkpoints_to_measure(run, number, "validation"))
    total = passes * len(sources)
    if total:
        load_tensorflow()
    what = "validation sources, before and after training" if passes > 1 else "validation sources"
    with current_screen().work(f"round {number}: {what}", total) as work:
        evaluate_stage(run, number, on_progress=count_sources(work, sources))
        work.advance(total)
    return adjust_stage(run, number)


def _train(run: RunFolder, number: int) -> None:
    screen = current_screen()
    if run.read_training(number) is None:
        load_tensorflow()
    with screen.work("building the encoder"):
        initialise_stage(run)
    with screen.work(f"round {number}: meta-steps", run.config.training.meta_steps) as work:

        def on_step(done: int, loss: float) -> None:
            work.advance(done, f"loss {loss:.3f}")
            if (line := describe_training_time(work, number, run.config)) is not None:
                screen.say(line)

        work.advance(0, "compiling the first step")
        train_stage(run, number, on_step=on_step)


def _publish(run: RunFolder) -> None:
    """Publish the best round; a folder that was published before is verified."""
    sources = [source.name for source in run.config.sources_with("test")]
    best = run.read_history()[-1].verdict.best_round
    total = len(checkpoints_to_measure(run, best, "test")) * len(sources)
    if not run.has_published:
        load_tensorflow()
    with current_screen().work("publishing: test sources", total) as work:
        publish_stage(run, on_progress=count_sources(work, sources))
        work.advance(total)
