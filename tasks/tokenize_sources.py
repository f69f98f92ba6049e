"""Tokenize sources: examples into tokens."""

from prefect import task
from prefect.cache_policies import NO_CACHE
from tokenizers import Tokenizer

from metamapping.config.encoder import EncoderSpec
from metamapping.corpus.source_groups import Parcel
from metamapping.corpus.tokens import TokenLimits, load_tokenizer, tokens_stage, write_tokens
from metamapping.storage.artifacts import Reference, Stage, Store
from tasks.row_progress import show_rows


@task(task_run_name="tokenize {parcel.name}", cache_policy=NO_CACHE, persist_result=False)
def tokenize_sources(
    home: str,
    parcel: Parcel,
    encoder: EncoderSpec,
    limits: TokenLimits,
    examples: list[Reference],
    tokenizer: Reference,
) -> list[Reference]:
    """Each source's examples as tokens of the run's tokenizer."""
    store, length = Store(home), encoder.max_length_tokens
    tokenized, loaded = [], None
    for source, each in zip(parcel.sources, examples, strict=True):
        stage = tokens_stage(source, length, limits, each.fingerprint, tokenizer.fingerprint)
        if (done := store.find(stage)) is None:
            loaded = loaded or load_tokenizer(tokenizer.folder, max_length_tokens=length)
            done = _tokenize(store, stage, loaded, limits, each)
        tokenized.append(done)
    return tokenized


def _tokenize(
    store: Store, stage: Stage, tokenizer: Tokenizer, limits: TokenLimits, examples: Reference
) -> Reference:
    with (
        store.write(stage) as draft,
        show_rows(f"tokenize {stage.name}", total=examples.counts["rows_out"]) as on_progress,
    ):
        counts = write_tokens(
            examples.folder, tokenizer, draft.folder, limits=limits, on_progress=on_progress
        )
        draft.counts.update(counts)
    return store.find(stage)
