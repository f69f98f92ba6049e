"""Tokenize a source: examples into tokens."""

from prefect import task
from prefect.cache_policies import NO_CACHE

from metamapping.config import EncoderSpec, Source
from metamapping.corpus.tokens import TokenLimits, load_tokenizer, tokens_stage, write_tokens
from metamapping.store import Reference, Store
from tasks.row_progress import show_rows


@task(task_run_name="tokenize {source.name}", cache_policy=NO_CACHE, persist_result=False)
def tokenize_source(
    home: str,
    source: Source,
    encoder: EncoderSpec,
    limits: TokenLimits,
    examples: Reference,
    tokenizer: Reference,
) -> Reference:
    """The source's examples as tokens of the run's tokenizer."""
    store = Store(home)
    length = encoder.max_length_tokens
    stage = tokens_stage(source, length, limits, examples.fingerprint, tokenizer.fingerprint)
    if (done := store.find(stage)) is not None:
        return done
    loaded = load_tokenizer(tokenizer.folder, max_length_tokens=length)
    with (
        store.write(stage) as draft,
        show_rows(f"tokenize {source.name}", total=examples.counts["rows_out"]) as on_progress,
    ):
        counts = write_tokens(examples.folder, loaded, draft.folder, limits=limits, on_progress=on_progress)
        draft.counts.update(counts)
    return store.find(stage)
