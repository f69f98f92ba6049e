"""Encoders for benchmarks through the public interface: an untrained one, and features that are kept.

mapper = keep_features(untrained_mapper(packaged_encoder()))
mapper.adapt(texts, labels)             # encodes the texts
mapper.adapt(texts[:50], labels[:50])   # encodes nothing
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np

from metamapping import MetaMapper
from metamapping.adaptation.featurizer import Featurizer
from metamapping.config.corpus import CleaningSpec
from metamapping.config.encoder import EncoderSpec
from metamapping.config.training import TrainingSpec
from metamapping.publishing.published_model import PublishedModel
from metamapping.training.learner import build_learner


def untrained_mapper(preset: str, *, max_length_tokens: int = 128) -> MetaMapper:
    """A mapper with a pretrained encoder before any meta-step.

    Args:
        preset: Folder of the encoder and its tokenizer.
        max_length_tokens: Length to which texts are truncated.
    """
    spec = EncoderSpec(preset=preset, max_length_tokens=max_length_tokens)
    learner = build_learner(spec, TrainingSpec(), vocabulary_size=0, seed=0)
    model = PublishedModel(learner.encoder, learner.mapping, Path(preset), max_length_tokens, CleaningSpec())
    return MetaMapper(model, progress=False)


def keep_features(mapper: MetaMapper) -> MetaMapper:
    """The same mapper, which from now on encodes each text and each name once.

    Args:
        mapper: It is changed in place.
    """
    mapper.featurizer = cast(Featurizer, KeptFeatures(mapper.featurizer))
    return mapper


class KeptFeatures:
    """A featurizer that keeps the features of all texts and names that it has encoded.

    Args:
        featurizer: Encodes what is new; everything else is its own.
    """

    def __init__(self, featurizer: Featurizer) -> None:
        self._featurizer = featurizer
        self._texts: dict[tuple[str, str | None], np.ndarray] = {}
        self._names: dict[str, np.ndarray] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._featurizer, name)

    def texts(self, texts: Sequence[str], text_pairs: Sequence[str] | None = None) -> np.ndarray:
        """The features of texts or pairs, as ``Featurizer.texts`` returns them."""
        seconds: Sequence[str | None] = [None] * len(texts) if text_pairs is None else text_pairs
        keys = list(zip(texts, seconds, strict=True))
        new = list(dict.fromkeys(key for key in keys if key not in self._texts))
        if new:
            pairs = None if text_pairs is None else [str(second) for _, second in new]
            features = self._featurizer.texts([first for first, _ in new], pairs)
            self._texts.update(zip(new, features, strict=True))
        if not keys:
            return self._featurizer.texts([])
        return np.stack([self._texts[key] for key in keys])

    def names(self, names: Sequence[str]) -> np.ndarray:
        """The features of label names, as ``Featurizer.names`` returns them."""
        new = list(dict.fromkeys(name for name in names if name not in self._names))
        if new:
            self._names.update(zip(new, self._featurizer.names(new), strict=True))
        return np.stack([self._names[name] for name in names])
