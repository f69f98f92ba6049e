"""A small untrained encoder, published like any other."""

from pathlib import Path

SENTENCES = [
    "where is my parcel it has not arrived",
    "the delivery is late again and nobody answers",
    "i want my money back for the broken lamp",
    "please refund the order that i sent back",
    "anna lives in paris and bob works in rome",
    "the weather in london was lovely in june",
]


def publish_toy(making: Path, folder: Path, *, num_layers: int = 1, seed: int = 0) -> None:
    """Publish a small BERT as ``folder``; ``making`` is a scratch folder for the tokenizer."""
    from metamapping.config.corpus import CleaningSpec
    from metamapping.config.encoder import EncoderSpec, ScratchEncoder
    from metamapping.config.training import TrainingSpec
    from metamapping.corpus.tokenizer import write_tokenizer
    from metamapping.publishing.published_model import Provenance, PublishedModel, write_published
    from metamapping.storage.artifacts import Stage
    from metamapping.training.learner import build_learner

    spec = EncoderSpec(
        scratch=ScratchEncoder(
            vocabulary_size=300, num_layers=num_layers, num_heads=2, hidden_dim=32, intermediate_dim=32
        ),
        max_length_tokens=16,
    )
    counts = write_tokenizer(spec, SENTENCES * 5, making / "tokenizer")
    # The features of an untrained encoder say little about a text; a ridge fitted to the task would notice
    # that and rely on them less.
    training = TrainingSpec(solver="plain-ridge")
    learner = build_learner(spec, training, vocabulary_size=counts["vocabulary_size"], seed=seed)
    model = PublishedModel(
        encoder=learner.encoder,
        mapping=learner.mapping,
        tokenizer_folder=making / "tokenizer",
        max_length_tokens=spec.max_length_tokens,
        cleaning=CleaningSpec(),
    )
    stage = Stage("published", "toy", 1, {}, [])
    write_published(folder, model, Provenance(stage, [], "# toy\n"))


def mapper_with_solver(published: Path, solver: str):
    """A mapper with another solver than the published encoder's."""
    from dataclasses import replace

    from metamapping import MetaMapper

    model = MetaMapper.from_pretrained(published).featurizer.model
    return MetaMapper(replace(model, mapping=replace(model.mapping, solver=solver)), progress=False)
