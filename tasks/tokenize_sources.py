"""Tokenize sources: examples into tokens."""

from prefect import task
from prefect.cache_policies import NO_CACHE

from metamapping.config.encoder import EncoderSpec
from metamapping.corpus import stages as library
from metamapping.corpus.source_groups import SourceGroup
from metamapping.corpus.tokens import TokenLimits
from metamapping.storage.artifacts import Reference, Store
from tasks.row_progress import show_rows


@task(task_run_name="tokenize {group.name}", cache_policy=NO_CACHE, persist_result=False)
def tokenize_sources(
    home: str,
    group: SourceGroup,
    encoder: EncoderSpec,
    limits: TokenLimits,
    examples: list[Reference],
    tokenizer: Reference,
) -> list[Reference]:
    """Tokenize the examples of each source with the run's tokenizer.

    Args:
        home: Folder or address of the store.
        group: The sources that this task run processes.
        encoder: The configuration of the encoder; supplies the maximum length of a text in tokens.
        limits: Texts with fewer or more tokens are rejected.
        examples: The examples of each source, in the order of the group.
        tokenizer: The tokenizer.

    Returns:
        The tokens of each source, in the order of the group.
    """
    return library.tokenize_sources(
        Store(home), group.sources, encoder, limits, examples=examples, tokenizer=tokenizer, show=show_rows
    )
