"""The pipeline: a whole run, from sources to a published encoder, as plain function calls.

Input: a configuration. Output: the run, with its published folder. The flow ``meta-pretraining`` calls the
same stages as Prefect flows. Both find the same run by its id and skip what is finished, so that a run which
was begun one way can be continued the other way.

    run = run_pipeline(config)
    run.published
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

from metamapping.config.schema import RunConfig
from metamapping.corpus.preparation import PreparedCorpus, prepare_corpus
from metamapping.corpus.stages import show_nothing
from metamapping.rounds.records import Round
from metamapping.runs.folder import RunFolder
from metamapping.runs.publish_best import publish_stage
from metamapping.runs.round_training import train_stage
from metamapping.runs.select_sources import select_stage
from metamapping.runs.stages import adjust_stage, evaluate_stage, initialise_stage, open_run

Advance = Callable[[int, str], None]


class Watcher(Protocol):
    """Is told what a run does."""

    def rows(self, what: str, *, total: int | None = None) -> AbstractContextManager[Callable[[int], None]]:
        """Open a block; what it yields is called with the number of rows done so far.

        Args:
            what: What the rows are processed for.
            total: The number of rows, if it is known.
        """

    def steps(self, what: str, *, total: int) -> AbstractContextManager[Advance]:
        """Open a block; what it yields is called with the number of finished steps and a short remark.

        Args:
            what: What is being counted.
            total: Number of steps of the whole work.
        """

    def prepared(self, prepared: PreparedCorpus) -> None:
        """Called when the corpus is prepared.

        Args:
            prepared: The corpus with its stages.
        """

    def opened(self, run: RunFolder) -> None:
        """Called when the run's folder is open, before anything is trained.

        Args:
            run: The run.
        """

    def judged(self, round: Round) -> None:
        """Called after each round.

        Args:
            round: The judged round.
        """


class NoWatcher:
    """A watcher that shows nothing."""

    rows = staticmethod(show_nothing)

    @contextmanager
    def steps(self, what: str, *, total: int) -> Iterator[Advance]:
        """Open a block whose progress is not shown."""
        yield lambda done, note: None

    def prepared(self, prepared: PreparedCorpus) -> None:
        """Do nothing."""

    def opened(self, run: RunFolder) -> None:
        """Do nothing."""

    def judged(self, round: Round) -> None:
        """Do nothing."""


def run_pipeline(config: RunConfig, watcher: Watcher | None = None) -> RunFolder:
    """Prepare the corpus, select sources, train rounds until the verdict is final, publish the best one.

    Args:
        config: The configuration, which ``label_spaces.check_run`` has accepted.
        watcher: Is told what happens.

    Returns:
        The finished run.

    Raises:
        ConfigError: The configuration cannot be run.
        StoreError: Something in the store or the run's folder is damaged.
    """
    watcher = NoWatcher() if watcher is None else watcher
    prepared = prepare_corpus(config, show=watcher.rows)
    watcher.prepared(prepared)
    run = open_run(config, prepared.corpus)
    watcher.opened(run)
    if config.selection.mode != "all":
        total = len(config.sources_with("train"))
        with watcher.steps("similarity of sources", total=total) as advance:
            select_stage(run, on_source=lambda done, source: advance(min(done, total), source))
    for number in range(1, config.convergence.max_rounds + 1):
        judged = _run_round(run, number, watcher)
        watcher.judged(judged)
        if judged.verdict.is_final:
            break
    _publish(run, watcher)
    return run


def _run_round(run: RunFolder, number: int, watcher: Watcher) -> Round:
    """Train, evaluate and judge a round; what is finished is read from the run's folder."""
    history = run.read_history()
    if len(history) >= number:
        return history[number - 1]
    total = run.config.training.meta_steps
    with watcher.steps(f"round {number}: meta-steps", total=total) as advance:
        initialise_stage(run)
        train_stage(run, number, on_step=lambda done, loss: advance(done, f"loss {loss:.3f}"))
    sources = [source.name for source in run.config.sources_with("validation")]
    with watcher.steps(f"round {number}: validation sources", total=len(sources)) as advance:
        evaluate_stage(run, number, on_progress=lambda source, _: advance(sources.index(source), source))
        advance(len(sources), "")
    return adjust_stage(run, number)


def _publish(run: RunFolder, watcher: Watcher) -> None:
    if run.has_published:
        publish_stage(run)  # verifies the folder
        return
    sources = [source.name for source in run.config.sources_with("test")]
    with watcher.steps("test sources", total=len(sources)) as advance:
        publish_stage(run, on_progress=lambda source, _: advance(sources.index(source), source))
        advance(len(sources), "")
