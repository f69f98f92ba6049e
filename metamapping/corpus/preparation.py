"""Preparation: all stages of a corpus, from sources to screened tokens, without Prefect.

Input: a run's configuration. Output: references to the finished stages. Several sources are processed at a
time, in threads or processes of this machine. The flow ``prepare-corpus`` writes the same stages, so that
what one has prepared the other one finds.

    prepared = prepare_corpus(config)
    prepared.corpus.tokens                     # one reference for each source
"""

from __future__ import annotations

import functools
import multiprocessing
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from typing import NamedTuple

import pyarrow as pa

from metamapping.config.encoder import EncoderSpec
from metamapping.config.engine import EngineSpec
from metamapping.config.schema import RunConfig
from metamapping.config.sources import Source
from metamapping.corpus.examples import Rules
from metamapping.corpus.prepared import Corpus
from metamapping.corpus.report_tables import Prepared
from metamapping.corpus.source_groups import group_sources
from metamapping.corpus.stages import (
    ShowRows,
    clean_sources,
    find_leaks,
    make_tokenizer,
    read_sources,
    report_corpus,
    screen_sources,
    show_nothing,
    tokenize_sources,
)
from metamapping.corpus.tokens import TokenLimits
from metamapping.errors import ConfigError
from metamapping.storage.artifacts import Reference, Store

# From the examples of all sources, the rows of each source whose label is rejected.
FindSuspicious = Callable[[list[Reference]], dict[str, pa.Table]]


class PreparedCorpus(NamedTuple):
    """A prepared corpus: what training needs, the stages that it was made by, and their report."""

    corpus: Corpus
    prepared: list[Prepared]
    leaks: Reference
    report: Reference


def prepare_corpus(
    config: RunConfig,
    *,
    tokenizer: Reference | None = None,
    show: ShowRows = show_nothing,
    find_suspicious: FindSuspicious = lambda examples: {},
) -> PreparedCorpus:
    """Prepare the tokens of every source, several sources at a time.

    Args:
        config: Used are the sources, the processing of their texts, and the engine.
        tokenizer: The tokenizer to use. Default: the one that `encoder` describes.
        show: Shows the progress of rows; not called if the engine is ``processes``.
        find_suspicious: Called with the examples of all sources; finds the rows whose label is rejected, with
            the schema ``SUSPICIOUS``. This takes an encoder, which no stage of the corpus loads.

    Raises:
        ConfigError: A source or the encoder's tokenizer cannot be read, or the engine needs Prefect.
        StoreError: A stage is damaged, or the store cannot be written.
    """
    store, sources = Store(config.home), config.sources
    rules = Rules(config.cleaning, config.filters, config.duplicates)
    limits = TokenLimits(config.filters.min_tokens, config.filters.max_tokens)
    groups = [group.sources for group in group_sources(sources, config.engine.runner)]
    if config.engine.runner == "processes":
        show = show_nothing  # what shows progress cannot be sent to another process
    with _workers(config.engine) as workers:
        clean = functools.partial(_read_and_clean, store, rules, show)
        of_groups = list(workers.map(clean, groups))
        examples = [each for group in of_groups for each in group]
        suspicious = find_suspicious(examples)
        leaks = find_leaks(store, sources, examples, config.leakage, config.duplicates)
        if tokenizer is None:
            tokenizer = make_tokenizer(store, config.encoder, sources, examples, leaks)
        finish = functools.partial(
            _tokenize_and_screen, store, config.encoder, limits, tokenizer, leaks, suspicious, show
        )
        finished = [each for group in workers.map(finish, groups, of_groups) for each in group]
    stages = zip(sources, examples, finished, strict=True)
    prepared = [Prepared(source, cleaned, *tokens) for source, cleaned, tokens in stages]
    report = report_corpus(store, prepared, leaks)
    tokens = [screened for _, screened in finished]
    corpus = Corpus(tokens=tokens, tokenizer=tokenizer, report=report)
    return PreparedCorpus(corpus, prepared, leaks, report)


def _read_and_clean(store: Store, rules: Rules, show: ShowRows, sources: Sequence[Source]) -> list[Reference]:
    return clean_sources(store, sources, rules, read_sources(store, sources, show=show), show=show)


def _tokenize_and_screen(
    store: Store,
    encoder: EncoderSpec,
    limits: TokenLimits,
    tokenizer: Reference,
    leaks: Reference,
    suspicious: Mapping[str, pa.Table],
    show: ShowRows,
    sources: Sequence[Source],
    examples: Sequence[Reference],
) -> list[tuple[Reference, Reference]]:
    """The tokens of each source, and the same without leaks and rejected labels."""
    tokens = tokenize_sources(
        store, sources, encoder, limits, examples=examples, tokenizer=tokenizer, show=show
    )
    return list(zip(tokens, screen_sources(store, sources, tokens, leaks, suspicious), strict=True))


@contextmanager
def _workers(engine: EngineSpec) -> Iterator[Executor]:
    """Threads or processes; work that has not begun is dropped when the block is left by an error."""
    if engine.runner not in ("threads", "processes"):
        raise ConfigError(
            f"engine.runner {engine.runner!r} needs Prefect: start the run with the repository's "
            "`python -m flows.meta_pretraining`, or choose `threads` or `processes`"
            f"{' and drop engine.evaluate' * engine.evaluate}; the result is the same"
        )
    num_workers = engine.num_workers or os.cpu_count() or 2
    workers: Executor
    if engine.runner == "threads":
        workers = ThreadPoolExecutor(num_workers)
    else:
        # A forked process could not use threads that this one has started.
        workers = ProcessPoolExecutor(num_workers, multiprocessing.get_context("spawn"))
    try:
        yield workers
    finally:
        workers.shutdown(cancel_futures=True)
