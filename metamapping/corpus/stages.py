"""Stages: what each step from sources to screened tokens writes into the store, or finds there.

Input: sources and the references of the stages before. Output: a reference for each source. A Prefect task
calls one of these functions for a group of sources; ``corpus.preparation`` calls all of them.

    records = read_sources(store, sources)
    examples = clean_sources(store, sources, rules, records)
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Protocol

import pyarrow as pa
from tokenizers import Tokenizer

from metamapping.config.corpus import DuplicateSpec, LeakageSpec
from metamapping.config.encoder import EncoderSpec
from metamapping.config.sources import Source
from metamapping.corpus.examples import Rules, examples_stage, write_examples
from metamapping.corpus.leakage import leaks_stage, read_leaks, write_leaks
from metamapping.corpus.records import records_stage, write_records
from metamapping.corpus.report import report_stage, write_report
from metamapping.corpus.report_tables import Prepared, describe_corpus
from metamapping.corpus.screening import NOTHING_SUSPICIOUS, screened_stage, write_screened
from metamapping.corpus.tokenization import load_tokenizer
from metamapping.corpus.tokenizer import TrainTexts, tokenizer_stage, write_tokenizer
from metamapping.corpus.tokens import TokenLimits, tokens_stage, write_tokens
from metamapping.storage.artifacts import Reference, Store


class ShowRows(Protocol):
    """Shows the progress of work on rows, while the block that it opens runs."""

    def __call__(
        self, what: str, *, total: int | None = None
    ) -> AbstractContextManager[Callable[[int], None]]:
        """Open a block; what it yields is called with the number of rows done so far.

        Args:
            what: What the rows are processed for, such as ``clean banking77``.
            total: The number of rows, if it is known.
        """


@contextmanager
def show_nothing(what: str, *, total: int | None = None) -> Iterator[Callable[[int], None]]:
    """Open a block whose progress is not shown.

    Args:
        what: What the rows are processed for.
        total: The number of rows.
    """
    yield lambda rows: None


def read_sources(
    store: Store, sources: Sequence[Source], *, show: ShowRows = show_nothing
) -> list[Reference]:
    """Read the records of each source: its rows, unchanged and in one format.

    Args:
        store: The store.
        sources: The sources.
        show: Shows the progress of rows.
    """

    def read(source: Source) -> Reference:
        def write(folder: Path) -> dict[str, int]:
            with show(f"read {source.name}") as on_progress:
                return write_records(source, folder, on_progress=on_progress)

        return store.get_or_write(records_stage(source), write)

    return [read(source) for source in sources]


def clean_sources(
    store: Store,
    sources: Sequence[Source],
    rules: Rules,
    records: Sequence[Reference],
    *,
    show: ShowRows = show_nothing,
) -> list[Reference]:
    """Make the examples of each source: its records, cleaned, filtered and deduplicated.

    Args:
        store: The store.
        sources: The sources.
        rules: How records become examples.
        records: The records of each source, in the same order.
        show: Shows the progress of rows.
    """

    def clean(source: Source, read: Reference) -> Reference:
        def write(folder: Path) -> dict[str, int]:
            with show(f"clean {source.name}", total=read.counts["rows_out"]) as on_progress:
                return write_examples(source, rules, read.fetch(), folder, on_progress=on_progress)

        return store.get_or_write(examples_stage(source, rules, read.fingerprint), write)

    return [clean(source, read) for source, read in zip(sources, records, strict=True)]


def find_leaks(
    store: Store,
    sources: list[Source],
    examples: list[Reference],
    spec: LeakageSpec,
    duplicates: DuplicateSpec,
) -> Reference:
    """Find the texts that are trained on and also held out.

    Args:
        store: The store.
        sources: All sources of the corpus.
        examples: The examples of each source, in the same order.
        spec: Whether leaks are searched for.
        duplicates: When two texts count as nearly equal.
    """

    def write(folder: Path) -> dict[str, int]:
        return write_leaks(sources, [each.fetch() for each in examples], spec, duplicates, folder)

    stage = leaks_stage(sources, [each.fingerprint for each in examples], spec, duplicates)
    return store.get_or_write(stage, write)


def make_tokenizer(
    store: Store, encoder: EncoderSpec, sources: list[Source], examples: list[Reference], leaks: Reference
) -> Reference:
    """Make the tokenizer of a run: that of the encoder's preset, or one learned from the train sources.

    Args:
        store: The store.
        encoder: The configuration of the encoder.
        sources: All sources of the corpus.
        examples: The examples of each source, in the same order.
        leaks: The leaks, which a learned tokenizer is not trained on.
    """
    leaks_folder = leaks.fetch()

    def write(folder: Path) -> dict[str, int]:
        texts = TrainTexts(sources, [each.fetch() for each in examples], leaks_folder)
        return write_tokenizer(encoder, texts, folder)

    stage = tokenizer_stage(encoder, sources, [each.fingerprint for each in examples], leaks_folder)
    return store.get_or_write(stage, write)


def tokenize_sources(
    store: Store,
    sources: Sequence[Source],
    encoder: EncoderSpec,
    limits: TokenLimits,
    *,
    examples: Sequence[Reference],
    tokenizer: Reference,
    show: ShowRows = show_nothing,
) -> list[Reference]:
    """Tokenize the examples of each source.

    Args:
        store: The store.
        sources: The sources.
        encoder: The configuration of the encoder; supplies the maximum length of a text in tokens.
        limits: Texts with fewer or more tokens are rejected.
        examples: The examples of each source, in the same order.
        tokenizer: The run's tokenizer.
        show: Shows the progress of rows.
    """
    max_length = encoder.max_length_tokens

    @functools.cache  # Loaded for the first source that has to be tokenized, and kept for the others.
    def loaded() -> Tokenizer:
        return load_tokenizer(tokenizer.fetch(), max_length_tokens=max_length)

    def tokenize(source: Source, cleaned: Reference) -> Reference:
        def write(folder: Path) -> dict[str, int]:
            with show(f"tokenize {source.name}", total=cleaned.counts["rows_out"]) as on_progress:
                return write_tokens(cleaned.fetch(), loaded(), folder, limits=limits, on_progress=on_progress)

        stage = tokens_stage(source, max_length, limits, cleaned.fingerprint, tokenizer.fingerprint)
        return store.get_or_write(stage, write)

    return [tokenize(source, cleaned) for source, cleaned in zip(sources, examples, strict=True)]


def screen_sources(
    store: Store,
    sources: Sequence[Source],
    tokens: Sequence[Reference],
    leaks: Reference,
    suspicious: Mapping[str, pa.Table] = MappingProxyType({}),
) -> list[Reference]:
    """Remove the rows that leak, or whose label is rejected, from the tokens of each source.

    Args:
        store: The store.
        sources: The sources.
        tokens: The tokens of each source, in the same order.
        leaks: The leaks of the corpus.
        suspicious: The rows whose label is rejected, by source, with the schema ``SUSPICIOUS``.

    Returns:
        For each source a stage without these rows, or the same reference if it has none.
    """
    leaks_folder = leaks.fetch()

    def screen(source: Source, each: Reference) -> Reference:
        leaked = read_leaks(leaks_folder, source.name)
        rejected = suspicious.get(source.name, NOTHING_SUSPICIOUS)
        if not leaked.num_rows and not rejected.num_rows:
            return each

        def write(folder: Path) -> dict[str, int]:
            return write_screened(each.fetch(), leaked, folder, rejected)

        return store.get_or_write(screened_stage(source, each.fingerprint, leaked, rejected), write)

    return [screen(source, each) for source, each in zip(sources, tokens, strict=True)]


def report_corpus(store: Store, prepared: list[Prepared], leaks: Reference) -> Reference:
    """Write the report of a corpus.

    Args:
        store: The store.
        prepared: All sources with their finished stages.
        leaks: The leaks of the corpus.
    """

    def write(folder: Path) -> dict[str, int]:
        return write_report(describe_corpus(prepared, leaks.fetch()), folder)

    return store.get_or_write(report_stage(prepared, leaks.fingerprint), write)
