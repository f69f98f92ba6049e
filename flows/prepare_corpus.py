"""The flow that prepares a corpus: from sources to examples, and from examples to tokens.

python -m flows.prepare_corpus configs/demo.yaml
"""

import sys
from typing import Any, TypeVar, cast

from prefect.futures import PrefectFuture

from flows.stage_flow import stage_flow
from metamapping.config.loading import read_config
from metamapping.config.schema import RunConfig
from metamapping.corpus.examples import Rules
from metamapping.corpus.report_tables import Prepared
from metamapping.corpus.source_groups import group_sources
from metamapping.corpus.tokens import TokenLimits
from metamapping.rounds.wording import count
from metamapping.runs.continuation import pin_start, tokenizer_of_start
from metamapping.runs.screen import current_screen
from metamapping.runs.tracking import require_tracking
from metamapping.storage.artifacts import Reference
from tasks.check_label_noise import check_label_noise
from tasks.check_sources import check_sources
from tasks.clean_sources import clean_sources
from tasks.engine import run_on_engine
from tasks.find_leaks import find_leaks
from tasks.headline import with_headline
from tasks.make_tokenizer import make_tokenizer
from tasks.read_sources import read_sources
from tasks.report_corpus import report_corpus
from tasks.screen_sources import screen_sources
from tasks.tokenize_sources import tokenize_sources

Result = TypeVar("Result")


@stage_flow("prepare-corpus", "prepare {config.name}")
def prepare_corpus(config: RunConfig) -> dict[str, Any]:
    """Prepare the tokens of every source, in the configuration's order, and the tokenizer that made them.

    Args:
        config: A whole run. Used are its sources, the processing of their texts, and the engine.
    """
    with current_screen().work(f"preparing {count(len(config.sources), 'source')}"):
        return run_on_engine(config.engine, lambda: prepare(config))


def prepare(config: RunConfig) -> dict[str, Any]:
    """Run the tasks of the flow, each on a group of sources; what the run starts from is decided here.

    Args:
        config: The configuration of the run.

    Returns:
        References as JSON: `tokens` (a list, one per source), `tokenizer` and `report`; and the `start`.
    """
    require_tracking(config)
    config = pin_start(config)
    home = config.home
    limits = TokenLimits(config.filters.min_tokens, config.filters.max_tokens)
    rules = Rules(config.cleaning, config.filters, config.duplicates)
    check_sources(home, config.sources)
    groups = group_sources(config.sources, config.engine.runner)
    read = [read_sources.submit(home, group) for group in groups]
    cleaned = [
        clean_sources.submit(home, group, rules, _argument(records))
        for group, records in zip(groups, read, strict=True)
    ]
    examples = _results(cleaned)
    checked = check_label_noise(config, examples)
    leaks = find_leaks(home, config.sources, examples, config.leakage, config.duplicates)
    tokenizer = tokenizer_of_start(config) or make_tokenizer(
        home, config.encoder, config.sources, examples, leaks
    )
    tokenized = [
        tokenize_sources.submit(home, group, config.encoder, limits, _argument(each), tokenizer)
        for group, each in zip(groups, cleaned, strict=True)
    ]
    screened = [
        screen_sources.submit(config, group, _argument(tokens), leaks, checked)
        for group, tokens in zip(groups, tokenized, strict=True)
    ]
    finished = _results(screened)
    stages = zip(config.sources, examples, _results(tokenized), finished, strict=True)
    report = report_corpus(home, config.name, [Prepared(*each) for each in stages], leaks)
    prepared = {
        "tokens": [each.model_dump(mode="json") for each in finished],
        "tokenizer": tokenizer.model_dump(mode="json"),
        "report": report.model_dump(mode="json"),
        "start": config.start,
    }
    return with_headline(prepared, count(sum(each.counts["rows_out"] for each in finished), "row"))


def _argument(future: PrefectFuture[Result]) -> Result:
    """A future as another task's argument: Prefect passes on its result as soon as there is one."""
    return cast(Result, future)


def _results(groups: list[PrefectFuture[list[Reference]]]) -> list[Reference]:
    """The results of all groups, one per source in the configuration's order."""
    return [reference for group in groups for reference in group.result()]


if __name__ == "__main__":
    print("The report is in", prepare_corpus(read_config(sys.argv[1]))["report"]["path"])
