"""Make the tokenizer of a run."""

from prefect import task
from prefect.cache_policies import NO_CACHE

from metamapping.config.encoder import EncoderSpec
from metamapping.config.sources import Source
from metamapping.corpus import stages as library
from metamapping.storage.artifacts import Reference, Store


@task(task_run_name="make tokenizer", cache_policy=NO_CACHE, persist_result=False)
def make_tokenizer(
    home: str,
    encoder: EncoderSpec,
    sources: list[Source],
    examples: list[Reference],
    leaks: Reference,
) -> Reference:
    """Make the tokenizer of a run: that of the encoder's preset, or one learned from the train sources.

    Args:
        home: Folder or address of the store.
        encoder: The configuration of the encoder.
        sources: All sources of the corpus.
        examples: The examples of each source, in the same order.
        leaks: The leaks, which a learned tokenizer is not trained on.

    Returns:
        The tokenizer.
    """
    return library.make_tokenizer(Store(home), encoder, sources, examples, leaks)
