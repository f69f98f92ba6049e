"""Prepare: sources into examples, and examples into tokens.

python -m flows.prepare_corpus configs/demo.yaml
"""

import sys
from typing import Any

from prefect import flow
from prefect.futures import PrefectFuture

from flows.state_watchdog import look_after, stay_cancelled
from flows.subflows import resume_parents
from metamapping.config.loading import read_config
from metamapping.config.schema import RunConfig
from metamapping.corpus.examples import Rules
from metamapping.corpus.report import Prepared
from metamapping.corpus.source_groups import group_sources
from metamapping.corpus.tokens import TokenLimits
from metamapping.storage.artifacts import Reference
from tasks.check_sources import check_sources
from tasks.clean_sources import clean_sources
from tasks.engine import run_on_engine
from tasks.find_leaks import find_leaks
from tasks.make_tokenizer import make_tokenizer
from tasks.read_sources import read_sources
from tasks.report_corpus import report_corpus
from tasks.screen_sources import screen_sources
from tasks.tokenize_sources import tokenize_sources


@flow(
    name="prepare-corpus",
    flow_run_name="prepare {config.name}",
    persist_result=True,
    result_serializer="json",
    on_running=[look_after],
    on_crashed=[stay_cancelled],
    on_completion=[resume_parents],
)
def prepare_corpus(config: RunConfig) -> dict[str, Any]:
    """The tokens of every source, in the configuration's order, and the tokenizer they were made with.

    Args:
        config: A whole run, of which this uses the sources, what is done to their texts, and the engine.
    """
    return run_on_engine(config.engine, lambda: prepare(config))


def prepare(config: RunConfig) -> dict[str, Any]:
    """The tasks of the flow, on whatever runs them."""
    home = config.home
    limits = TokenLimits(config.filters.min_tokens, config.filters.max_tokens)
    rules = Rules(config.cleaning, config.filters, config.duplicates)
    check_sources(home, config.sources)
    groups = group_sources(config.sources, config.engine.runner)
    read = [read_sources.submit(home, group) for group in groups]
    cleaned = [
        clean_sources.submit(home, group, rules, records) for group, records in zip(groups, read, strict=True)
    ]
    examples = _all(cleaned)
    leaks = find_leaks(home, config.sources, examples, config.leakage, config.duplicates)
    tokenizer = make_tokenizer(home, config.encoder, config.sources, examples, leaks)
    tokenized = [
        tokenize_sources.submit(home, group, config.encoder, limits, each, tokenizer)
        for group, each in zip(groups, cleaned, strict=True)
    ]
    screened = [
        screen_sources.submit(home, group, tokens, leaks)
        for group, tokens in zip(groups, tokenized, strict=True)
    ]
    finished = _all(screened)
    stages = zip(config.sources, examples, _all(tokenized), finished, strict=True)
    report = report_corpus(home, [Prepared(*each) for each in stages], leaks)
    return {
        "tokens": [each.model_dump(mode="json") for each in finished],
        "tokenizer": tokenizer.model_dump(mode="json"),
        "report": report.model_dump(mode="json"),
    }


def _all(groups: list[PrefectFuture[list[Reference]]]) -> list[Reference]:
    """What tasks have made of each source, in the sources' order."""
    return [reference for group in groups for reference in group.result()]


if __name__ == "__main__":
    print("The report stands in", prepare_corpus(read_config(sys.argv[1]))["report"]["path"])
