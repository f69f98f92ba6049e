"""Prepared: what the stages after ``prepare`` need of a corpus.

corpus = Corpus(tokens=references, tokenizer=reference)
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from metamapping.storage.artifacts import Reference


class Corpus(BaseModel):
    """A prepared corpus: the token shards of each source, in configuration order.

    Attributes:
        tokens: The token shards of each source.
        tokenizer: The tokenizer that made them.
        report: What came in, what came out and what was left out; runs of earlier versions do not name it.
        start: The run whose tokenizer made the tokens, or `pretrained`; `None` if nothing was pinned.
    """

    model_config = ConfigDict(frozen=True)

    tokens: list[Reference]
    tokenizer: Reference
    report: Reference | None = None
    start: str | None = None

    @property
    def fingerprints(self) -> list[str]:
        """The fingerprints of the tokenizer and of every source's shards, which change with the data."""
        return [self.tokenizer.fingerprint, *(reference.fingerprint for reference in self.tokens)]

    @property
    def vocabulary_size(self) -> int:
        """The number of different token ids."""
        return self.tokenizer.counts["vocabulary_size"]
