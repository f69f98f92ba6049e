"""Prepared: a corpus whose sources are all token shards, as the stages after it need it."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from metamapping.storage.artifacts import Reference


class Corpus(BaseModel):
    """A prepared corpus: the token shards of each source, in configuration order."""

    model_config = ConfigDict(frozen=True)

    tokens: list[Reference]
    tokenizer: Reference

    @property
    def fingerprints(self) -> list[str]:
        """Of the tokenizer and every source's shards: they change when the data does."""
        return [self.tokenizer.fingerprint, *(reference.fingerprint for reference in self.tokens)]

    @property
    def vocabulary_size(self) -> int:
        """Number of different token ids."""
        return self.tokenizer.counts["vocabulary_size"]
