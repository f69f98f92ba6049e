"""Make the tokenizer of a run."""

from pathlib import Path

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
    leaks_folder = leaks.fetch()

    def write(folder: Path) -> dict[str, int]:
        texts = TrainTexts(sources, [each.fetch() for each in examples], leaks_folder)
        return write_tokenizer(encoder, texts, folder)

    stage = tokenizer_stage(encoder, sources, [each.fingerprint for each in examples], leaks_folder)
    return Store(home).get_or_write(stage, write)
