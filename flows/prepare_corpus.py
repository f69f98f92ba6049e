"""Prepare: sources into examples, and examples into tokens.

python -m flows.prepare_corpus configs/demo.yaml
"""

import sys
from typing import Any

from prefect import flow

from flows.sign_of_life import look_after
from flows.stage_runs import resume_parents
from metamapping.config import RunConfig
from metamapping.config_file import read_config
from metamapping.corpus.examples import Rules
from metamapping.corpus.report import Prepared
from metamapping.corpus.tokens import TokenLimits
from tasks.check_sources import check_sources
from tasks.clean_source import clean_source
from tasks.engine import run_on_engine
from tasks.find_leaks import find_leaks
from tasks.make_tokenizer import make_tokenizer
from tasks.read_source import read_source
from tasks.report_corpus import report_corpus
from tasks.screen_source import screen_source
from tasks.tokenize_source import tokenize_source


@flow(
    name="prepare-corpus",
    flow_run_name="prepare {config.name}",
    persist_result=True,
    result_serializer="json",
    on_running=[look_after],
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
    records = [read_source.submit(home, source) for source in config.sources]
    cleaned = [
        clean_source.submit(home, source, rules, read)
        for source, read in zip(config.sources, records, strict=True)
    ]
    examples = [each.result() for each in cleaned]
    leaks = find_leaks(home, config.sources, examples, config.leakage, config.duplicates)
    tokenizer = make_tokenizer(home, config.encoder, config.sources, examples, leaks)
    tokenized = [
        tokenize_source.submit(home, source, config.encoder, limits, each, tokenizer)
        for source, each in zip(config.sources, examples, strict=True)
    ]
    screened = [
        screen_source.submit(home, source, tokens, leaks)
        for source, tokens in zip(config.sources, tokenized, strict=True)
    ]
    finished = [each.result() for each in screened]
    stages = zip(config.sources, examples, [each.result() for each in tokenized], finished, strict=True)
    report = report_corpus(home, [Prepared(*each) for each in stages], leaks)
    return {
        "tokens": [each.model_dump(mode="json") for each in finished],
        "tokenizer": tokenizer.model_dump(mode="json"),
        "report": report.model_dump(mode="json"),
    }


if __name__ == "__main__":
    print("The report stands in", prepare_corpus(read_config(sys.argv[1]))["report"]["path"])
