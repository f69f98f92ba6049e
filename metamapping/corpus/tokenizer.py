"""Tokenizer: that of the encoder's preset, or a WordPiece learned from the train sources.

Input: an encoder's configuration and texts. Output: a folder that ``transformers.AutoTokenizer`` loads, with
a ``tokenizer.json`` that ``tokenizers.Tokenizer`` loads. Code from a hub is never executed.

    write_tokenizer(config.encoder, TrainTexts(sources, folders, leaks), folder)
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from metamapping.config.encoder import EncoderSpec
from metamapping.config.sources import Source
from metamapping.corpus.leakage import read_leaks
from metamapping.corpus.shards import iterate_shards
from metamapping.errors import ConfigError, needs_train_extra
from metamapping.storage.artifacts import Stage
from metamapping.storage.manifest import fingerprint, fingerprint_file

_VERSION = 2
_SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
_MAX_LETTERS = 200
_FILES = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.txt", "vocab.json")


def tokenizer_stage(
    encoder: EncoderSpec, sources: list[Source], examples: list[str], leaks: str | Path
) -> Stage:
    """Return the identity of a run's tokenizer.

    Only a learned tokenizer depends on examples and leaks, and only on those of train sources.

    Args:
        encoder: The encoder's configuration.
        sources: All sources.
        examples: The fingerprint of each source's examples.
        leaks: The folder of the leaks.
    """
    if encoder.preset is not None:
        folder = Path(encoder.preset)
        files = [[name, fingerprint_file(folder / name)] for name in _FILES if (folder / name).is_file()]
        settings: dict[str, Any] = {"files": files} if files else {"preset": encoder.preset}
        return Stage("tokenizer", "encoder", _VERSION, settings)
    assert encoder.scratch is not None
    learned = [
        [
            each,
            (source.label_roles or {}).get("train"),
            fingerprint(read_leaks(leaks, source.name)["row"].to_pylist()),
        ]
        for source, each in zip(sources, examples, strict=True)
        if _is_trained_on(source)
    ]
    settings = {"vocabulary_size": encoder.scratch.vocabulary_size, "learned_from": learned}
    return Stage("tokenizer", "encoder", _VERSION, settings)


def write_tokenizer(encoder: EncoderSpec, texts: Iterable[str], folder: Path) -> dict[str, int]:
    """Write the tokenizer of an encoder.

    Args:
        encoder: The encoder's configuration.
        texts: What a tokenizer is learned from, if the encoder has no preset; iterated over twice.
        folder: The folder to write to.

    Returns:
        The count ``vocabulary_size``.

    Raises:
        ConfigError: The preset has no tokenizer that can be used.
    """
    tokenizer = _pretrained(encoder.preset) if encoder.preset is not None else _learned(encoder, texts)
    tokenizer.save_pretrained(folder)
    if not (folder / "tokenizer.json").is_file():
        raise ConfigError(
            f"encoder.preset {encoder.preset!r} has no fast tokenizer: choose an encoder that has one"
        )
    return {"vocabulary_size": len(tokenizer)}


@dataclass(frozen=True)
class TrainTexts:
    """The texts of all train sources without those that leak; they can be iterated over several times.

    ``examples`` has the folder of each source's examples, and ``leaks`` is the folder of the leaks.
    """

    sources: list[Source]
    examples: Sequence[str | Path]
    leaks: str | Path

    def __iter__(self) -> Iterator[str]:
        for source, folder in zip(self.sources, self.examples, strict=True):
            if not _is_trained_on(source):
                continue
            labels = (source.label_roles or {}).get("train")
            leaked = read_leaks(self.leaks, source.name)["row"].combine_chunks()
            for batch in iterate_shards(folder, columns=["row", "text", "text_pair", "label"]):
                batch = batch.filter(pc.invert(pc.is_in(batch["row"], value_set=leaked)))
                if labels is not None:
                    batch = batch.filter(pc.is_in(batch["label"], value_set=pa.array(labels, pa.string())))
                yield from batch["text"].to_pylist()
                yield from batch["text_pair"].drop_null().to_pylist()


def _is_trained_on(source: Source) -> bool:
    return source.role == "train" or "train" in (source.label_roles or {})


def _pretrained(preset: str) -> Any:
    with needs_train_extra("preparing a corpus"):
        from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(preset.removeprefix("hf://"), trust_remote_code=False)
    except Exception as error:  # The hub, the network and missing files raise errors of all kinds.
        raise ConfigError(
            f"encoder.preset {preset!r} has no tokenizer that can be read: {error}. Expected a folder "
            "with tokenizer.json, or an address such as hf://google-bert/bert-base-uncased"
        ) from error


def _learned(encoder: EncoderSpec, texts: Iterable[str]) -> Any:
    """A lower-cased BERT WordPiece; the same texts always give the same vocabulary.

    By itself the trainer numbers letters within words (`##a`) in the order of a hash table, and breaks ties
    between pieces by these numbers. So it gets them in a fixed order, among the special tokens.
    """
    from tokenizers import BertWordPieceTokenizer

    with needs_train_extra("preparing a corpus"):
        from transformers import BertTokenizerFast

    assert encoder.scratch is not None
    alphabet = _alphabet(texts)
    wordpiece = BertWordPieceTokenizer(lowercase=True)
    wordpiece.train_from_iterator(
        texts,
        vocab_size=encoder.scratch.vocabulary_size,
        min_frequency=2,
        limit_alphabet=len(alphabet),
        initial_alphabet=alphabet,
        special_tokens=[*_SPECIAL, *(f"##{letter}" for letter in alphabet)],
        show_progress=False,
    )
    plain = BertWordPieceTokenizer(wordpiece.get_vocab(), lowercase=True)
    return BertTokenizerFast(tokenizer_object=plain._tokenizer, model_max_length=encoder.max_length_tokens)


def _alphabet(texts: Iterable[str]) -> list[str]:
    """The most frequent characters after normalization, sorted by their code points."""
    from tokenizers.normalizers import BertNormalizer

    raw: Counter[str] = Counter()
    for text in texts:
        raw.update(text)
    normalizer, normalized = BertNormalizer(lowercase=True), Counter[str]()
    for letter, count in raw.items():
        for each in normalizer.normalize_str(letter):
            normalized[each] += count
    letters = [letter for letter in normalized if not letter.isspace()]
    letters.sort(key=lambda letter: (-normalized[letter], letter))
    return sorted(letters[:_MAX_LETTERS])
