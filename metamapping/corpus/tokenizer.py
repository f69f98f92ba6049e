"""The tokenizer of a run: the encoder's own, or a WordPiece learned from the train sources.

Out comes a folder that ``transformers.AutoTokenizer`` loads, with the ``tokenizer.json`` that
``tokenizers.Tokenizer`` loads alone. A tokenizer is never given a chance to run code of a hub.

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
from metamapping.errors import ConfigError
from metamapping.storage.artifacts import Stage
from metamapping.storage.manifest import fingerprint, fingerprint_file

_VERSION = 2
_SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
_MOST_LETTERS = 200
_FILES = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.txt", "vocab.json")


def tokenizer_stage(
    encoder: EncoderSpec, sources: list[Source], examples: list[str], leaks: str | Path
) -> Stage:
    """The identity of a run's tokenizer.

    ``examples`` are the fingerprints of the sources' examples, ``leaks`` is the folder of the leaks;
    only a tokenizer learned from them depends on them, and only on those of train sources.
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
        if _trains(source)
    ]
    settings = {"vocabulary_size": encoder.scratch.vocabulary_size, "learned_from": learned}
    return Stage("tokenizer", "encoder", _VERSION, settings)


def write_tokenizer(encoder: EncoderSpec, texts: Iterable[str], folder: Path) -> dict[str, int]:
    """Write the tokenizer of ``encoder`` into ``folder``; ``texts`` are read, twice, to learn one."""
    tokenizer = _pretrained(encoder.preset) if encoder.preset is not None else _learned(encoder, texts)
    tokenizer.save_pretrained(folder)
    if not (folder / "tokenizer.json").is_file():
        raise ConfigError(
            f"encoder.preset {encoder.preset!r} has no fast tokenizer: choose an encoder that has one"
        )
    return {"vocabulary_size": len(tokenizer)}


@dataclass(frozen=True)
class TrainTexts:
    """The texts that training may see, source by source; they can be read more than once.

    ``examples``: the folder of each source's examples; ``leaks``: the folder of the leaks.
    """

    sources: list[Source]
    examples: Sequence[str | Path]
    leaks: str | Path

    def __iter__(self) -> Iterator[str]:
        for source, folder in zip(self.sources, self.examples, strict=True):
            if not _trains(source):
                continue
            labels = (source.label_roles or {}).get("train")
            leaked = read_leaks(self.leaks, source.name)["row"].combine_chunks()
            for batch in iterate_shards(folder, columns=["row", "text", "text_pair", "label"]):
                batch = batch.filter(pc.invert(pc.is_in(batch["row"], value_set=leaked)))
                if labels is not None:
                    batch = batch.filter(pc.is_in(batch["label"], value_set=pa.array(labels, pa.string())))
                yield from batch["text"].to_pylist()
                yield from batch["text_pair"].drop_null().to_pylist()


def _trains(source: Source) -> bool:
    return source.role == "train" or "train" in (source.label_roles or {})


def _pretrained(preset: str) -> Any:
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(preset.removeprefix("hf://"), trust_remote_code=False)
    except Exception as error:  # whatever the hub, the network or a missing file raises
        raise ConfigError(
            f"encoder.preset {preset!r} has no tokenizer that can be read: {error}. Expected a folder "
            "with tokenizer.json, or an address such as hf://google-bert/bert-base-uncased"
        ) from error


def _learned(encoder: EncoderSpec, texts: Iterable[str]) -> Any:
    """A lower-cased BERT WordPiece; the same texts give the same vocabulary, to the last number.

    The trainer numbers the letters inside words (`##a`) in the order of a hash table, and breaks ties
    between pieces by those numbers: so they are given to it, in order, as if they were special.
    """
    from tokenizers import BertWordPieceTokenizer
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
    """The most frequent letters of the texts as the tokenizer reads them, in order of their codes."""
    from tokenizers.normalizers import BertNormalizer

    raw: Counter[str] = Counter()
    for text in texts:
        raw.update(text)
    normalizer, read = BertNormalizer(lowercase=True), Counter[str]()
    for letter, count in raw.items():
        for each in normalizer.normalize_str(letter):
            read[each] += count
    letters = sorted((letter for letter in read if not letter.isspace()), key=lambda a: (-read[a], a))
    return sorted(letters[:_MOST_LETTERS])
