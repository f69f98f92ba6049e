"""Make the tokenizer of a run."""

from prefect import task
from prefect.cache_policies import NO_CACHE

from metamapping.config.encoder import EncoderSpec
from metamapping.config.sources import Source
from metamapping.corpus.tokenizer import TrainTexts, tokenizer_stage, write_tokenizer
from metamapping.storage.artifacts import Reference, Store


@task(task_run_name="make tokenizer", cache_policy=NO_CACHE, persist_result=False)
def make_tokenizer(
    home: str,
    encoder: EncoderSpec,
    sources: list[Source],
    examples: list[Reference],
    leaks: Reference,
) -> Reference:
    """The encoder's own tokenizer, or one learned from the train sources."""
    store = Store(home)
    fingerprints = [each.fingerprint for each in examples]
    stage = tokenizer_stage(encoder, sources, fingerprints, leaks.folder)
    if (done := store.find(stage)) is not None:
        return done
    with store.write(stage) as draft:
        texts = TrainTexts(sources, [each.folder for each in examples], leaks.folder)
        draft.counts.update(write_tokenizer(encoder, texts, draft.folder))
    return store.find(stage)
