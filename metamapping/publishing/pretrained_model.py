"""Pretrained model: an encoder that was not meta-trained, used as if it were published.

Input: a Hugging Face or KerasHub folder, or the name of a model on the Hugging Face hub. Output: the encoder
with an untrained mapping, under which a text's vector is its feature, and a label's is the feature of its
name. Only configuration, tokenizer and safetensors weights are read; no code of the folder is executed.

    model = read_encoder("sentence-transformers/all-MiniLM-L6-v2")
    model = read_encoder("path/to/published")           # a published folder is read as such
"""

from __future__ import annotations

import re
from pathlib import Path

from metamapping.config.corpus import CleaningSpec
from metamapping.config.encoder import EncoderSpec
from metamapping.corpus.tokenization import load_tokenizer
from metamapping.errors import ConfigError, StoreError, one_line
from metamapping.interop.family_format import CONFIG, FORMATS, INDEX, MODEL, is_readable, read_index
from metamapping.models.forks import check_not_forked
from metamapping.models.keras_import import quiet_keras
from metamapping.publishing.layout import SETTINGS
from metamapping.publishing.loaded_model import LoadedModel
from metamapping.publishing.pretrained_runtime import read_pretrained_runtime
from metamapping.publishing.runtime_model import BACKENDS, Backend, load_model, precision_of
from metamapping.runtime.encoder import Precision
from metamapping.runtime.pretrained_weights import PretrainedWeights
from metamapping.storage.bounded_json import read_json
from metamapping.storage.manifest import MANIFEST

_HUB = "hf://"
_HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
_UNSAFE = (".bin", ".pt", ".pth", ".ckpt", ".h5", ".msgpack")
_FILES = (CONFIG, MODEL, INDEX, "model-*.safetensors", "tokenizer.json", "sentence_bert_config.json")
# Longer texts are rare where there are few examples, and their time grows with their length.
_MAX_LENGTH_TOKENS, _MIN_LENGTH_TOKENS = 256, 8


class UntrainedMappingWarning(UserWarning):
    """An encoder is used that was not meta-trained."""


def read_encoder(place: str | Path, *, backend: Backend = "auto") -> LoadedModel:
    """Load a published encoder, or a pretrained one with an untrained mapping.

    Args:
        place: A published folder or its address; a Hugging Face or KerasHub folder; or a model on the Hugging
            Face hub (`hf://ORGANISATION/NAME`, or without `hf://` if there is no such folder).
        backend: As for ``load_model``. Of a pretrained encoder the graph is built in memory, if it is a
            Hugging Face folder of a family that has one.

    Raises:
        FileNotFoundError: There is no such encoder.
        StoreError: The folder is damaged, or has no graph although the runtime was asked for.
        MissingExtraError: TensorFlow is needed and is not installed.
        ConfigError: The pretrained encoder is of a kind that cannot be read.
    """
    if not is_pretrained(place):
        return load_model(place, backend=backend)
    if backend not in BACKENDS:
        raise ValueError(f"backend is {backend!r:.80}, expected one of {', '.join(BACKENDS)}")
    folder = _download(str(place)) if is_on_hub(place) else Path(place)
    check_not_forked()
    _check_files(folder)
    if backend != "tensorflow" and is_readable(folder):
        return _read_runtime(folder, precision_of(backend))
    if backend not in ("auto", "tensorflow"):
        raise StoreError(
            f"{place} is not a Hugging Face folder of {', '.join(FORMATS)} with its weights in {MODEL} or "
            f"{INDEX}, which is what the runtime reads: load it with backend='tensorflow'"
        )
    return _read_keras(folder, "" if backend == "tensorflow" else _why_keras(folder))


def is_pretrained(place: str | Path) -> bool:
    """Whether a place is a pretrained encoder that was not published by this library.

    Args:
        place: A folder, an address, or the name of a model on the hub.
    """
    if is_on_hub(place):
        return True
    if "://" in str(place):
        return False
    folder = Path(place)
    # A published folder without its manifest is a damaged one.
    ours = any((folder / name).is_file() for name in (MANIFEST, SETTINGS))
    return (folder / "config.json").is_file() and not ours


def check_pretrained(folder: Path) -> None:
    """Check what can be known of a folder without reading its weights.

    Args:
        folder: A pretrained encoder.

    Raises:
        FileNotFoundError: It has no tokenizer, or no weights that can be read.
        StoreError: Its configuration is damaged, or does not fit its weights.
    """
    _check_files(folder)
    if is_readable(folder):
        PretrainedWeights(folder)


def is_on_hub(place: str | Path) -> bool:
    """Whether a place is the name of a model on the Hugging Face hub.

    Args:
        place: A folder, an address, or `ORGANISATION/NAME`, unless the first part is a folder here.
    """
    if str(place).startswith(_HUB):
        return True
    is_name = _HUB_NAME.fullmatch(str(place)) is not None
    return is_name and not Path(str(place).split("/")[0]).exists()


def untrained_sentence(place: str | Path) -> str:
    """Return what a user of a pretrained encoder should know.

    Args:
        place: The encoder.
    """
    return (
        f"{place} is a pretrained encoder that was not meta-trained: it is used with an untrained mapping. "
        "`metamapping train` meta-trains it on labelled sources"
    )


def _download(place: str) -> Path:
    from huggingface_hub import snapshot_download

    name = place.removeprefix(_HUB)
    try:
        return Path(snapshot_download(name, allow_patterns=list(_FILES)))
    except Exception as error:  # The hub, the network and the cache raise errors of all kinds.
        raise FileNotFoundError(
            f"there is no folder {name}, and no such model can be read from the Hugging Face hub "
            f"({type(error).__name__}: {one_line(error)}): correct the name, or give the folder of an encoder"
        ) from error


def _check_files(folder: Path) -> None:
    """Check what would otherwise be said by Keras, after it was loaded."""
    _check_config(folder)
    _check_tokenizer(folder)
    _check_weights(folder)


def _check_config(folder: Path) -> None:
    path = folder / CONFIG
    try:
        read_json(path)
    except ValueError as error:
        raise StoreError(f"{path} is not JSON ({one_line(error)}): download the folder again") from error


def _check_weights(folder: Path) -> None:
    if (folder / MODEL).is_file() or any(folder.glob("*.weights.*")):  # the latter are KerasHub's
        return
    if (folder / INDEX).is_file():
        missing = [name for name in _shards(folder / INDEX) if not (folder / name).is_file()]
        if missing:
            raise FileNotFoundError(
                f"{folder} has no {missing[0]}, which {INDEX} names: download the folder again"
            )
        return
    others = sorted(path.name for path in folder.iterdir() if path.suffix in _UNSAFE)
    found = f", only {others[0]}, which is not read because it may run code" if others else ""
    raise FileNotFoundError(
        f"{folder} has no {MODEL}{found}: download that file too, or write it there with transformers' "
        "`AutoModel.from_pretrained(folder).save_pretrained(folder)`"
    )


def _shards(index: Path) -> list[str]:
    try:
        return sorted(set(read_index(index).values()))
    except ValueError as error:
        raise StoreError(
            f"{index} names no weights ({one_line(error)}): download the folder again"
        ) from error


def _check_tokenizer(folder: Path) -> None:
    if not (folder / "tokenizer.json").is_file():
        raise FileNotFoundError(
            f"{folder} has no tokenizer.json: write it there with transformers' "
            "`AutoTokenizer.from_pretrained(folder).save_pretrained(folder)`"
        )


def _read_runtime(folder: Path, precision: Precision) -> LoadedModel:
    weights = PretrainedWeights(folder)
    max_length = _max_length(folder, weights.sizes["max_sequence_length"])
    _check_vocabulary(folder, max_length, weights.sizes["vocabulary_size"])
    return read_pretrained_runtime(folder, weights, max_length_tokens=max_length, precision=precision)


def _why_keras(folder: Path) -> str:
    """Why the runtime cannot read a folder, as a clause of a sentence about it."""
    if (folder / MODEL).is_file() or (folder / INDEX).is_file():
        return f", which is none of {', '.join(FORMATS)} in Hugging Face's format,"
    return f", whose weights are not in {MODEL},"


def _read_keras(folder: Path, why: str) -> LoadedModel:
    with quiet_keras(f"loading the pretrained encoder {folder}{why}"):
        from metamapping.models.backbones import build_backbone
        from metamapping.models.encoder import Encoder
        from metamapping.models.mapping import MetaMapping
        from metamapping.publishing.published_model import PublishedModel

    spec = EncoderSpec(preset=str(folder), max_length_tokens=_MIN_LENGTH_TOKENS)
    try:
        encoder = Encoder(build_backbone(spec, vocabulary_size=0, seed=0))
    except ConfigError as error:  # here no configuration names the folder
        raise ConfigError(str(error).replace("encoder.preset", "the encoder", 1)) from error
    max_length = _max_length(folder, getattr(encoder.backbone, "max_sequence_length", None))
    _check_vocabulary(folder, max_length, getattr(encoder.backbone, "vocabulary_size", None))
    return PublishedModel(
        encoder=encoder,
        mapping=MetaMapping(encoder.dim),
        tokenizer_folder=folder,
        max_length_tokens=max_length,
        cleaning=CleaningSpec(),
    )


def _check_vocabulary(folder: Path, max_length_tokens: int, vocabulary_size: int | None) -> None:
    """Check that the encoder knows all tokens. Raises ``StoreError``."""
    tokenizer = load_tokenizer(folder, max_length_tokens=max_length_tokens)
    highest_id = max(tokenizer.get_vocab(with_added_tokens=False).values(), default=0)
    if vocabulary_size is not None and highest_id >= vocabulary_size:
        raise StoreError(
            f"{folder}: the tokenizer has a token {highest_id}, but the encoder knows {vocabulary_size}: "
            "download both again"
        )


def _max_length(folder: Path, num_positions: int | None) -> int:
    """The length that sentence-transformers truncates to, if the folder says so."""
    length = _MAX_LENGTH_TOKENS
    try:
        configured = read_json(folder / "sentence_bert_config.json").get("max_seq_length")
    except (OSError, ValueError, AttributeError):
        configured = None
    if isinstance(configured, int) and _MIN_LENGTH_TOKENS <= configured <= 8192:
        length = configured
    return length if num_positions is None else max(1, min(length, num_positions))
