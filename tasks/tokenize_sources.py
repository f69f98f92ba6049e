"""Tokenize sources: examples into tokens."""

import functools
from pathlib import Path

from prefect import task
from prefect.cache_policies import NO_CACHE
from tokenizers import Tokenizer

from metamapping.config.encoder import EncoderSpec
from metamapping.config.sources import Source
from metamapping.corpus.source_groups import SourceGroup
from metamapping.corpus.tokens import TokenLimits, load_tokenizer, tokens_stage, write_tokens
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
    store, max_length = Store(home), encoder.max_length_tokens

    @functools.cache  # Loaded for the first source that has to be tokenized, and kept for the others.
    def loaded() -> Tokenizer:
        return load_tokenizer(tokenizer.fetch(), max_length_tokens=max_length)

    def tokenize(source: Source, cleaned: Reference) -> Reference:
        def write(folder: Path) -> dict[str, int]:
            with show_rows(f"tokenize {source.name}", total=cleaned.counts["rows_out"]) as on_progress:
                return write_tokens(cleaned.fetch(), loaded(), folder, limits=limits, on_progress=on_progress)

        stage = tokens_stage(source, max_length, limits, cleaned.fingerprint, tokenizer.fingerprint)
        return store.get_or_write(stage, write)

    return [tokenize(source, cleaned) for source, cleaned in zip(group.sources, examples, strict=True)]
