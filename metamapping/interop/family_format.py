"""Family format: how an encoder family's ``config.json`` is read, and which weights it has, without Keras.

``families`` adds KerasHub's backbones to it; ``runtime.pretrained_weights`` reads a folder with it alone.

    family = read_family(config)
    sizes = family.read_sizes(config)
    for part in family.parts(sizes["num_layers"]):
        print(part.name, part.shape(sizes))
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from metamapping.interop.weight_parts import (
    RESERVED_POSITIONS,
    Part,
    bert_parts,
    distilbert_parts,
    gpt2_parts,
    roberta_parts,
)
from metamapping.storage.bounded_json import read_json

CONFIG, MODEL, INDEX = "config.json", "model.safetensors", "model.safetensors.index.json"
_MAX_SHARDS = 1_000


@dataclass(frozen=True, kw_only=True)
class FamilyFormat:
    """How one family of encoders is described and stored in Hugging Face's format.

    Attributes:
        model_type: The value of ``model_type`` in ``config.json``.
        prefix: The prefix that PyTorch's classes with a head put before the names of weights. KerasHub's own
            reader needs it for RoBERTa and DistilBERT.
        sizes: For each size argument of the backbone its key in ``config.json``.
        layers: Keys and values of ``config.json`` that determine what the layers compute.
        activation: The key of the activation function among ``layers``.
        parts: Yields the parts of an encoder with so many layers.
        reserved_positions: Position embeddings that belong to padding, which KerasHub does not count.
        fixed: Keys of ``config.json`` that a file may leave out, with the only value that the layers compute.
    """

    model_type: str
    prefix: str
    sizes: Mapping[str, str]
    layers: Mapping[str, Any]
    activation: str
    parts: Callable[[int], Iterator[Part]]
    reserved_positions: int = 0
    fixed: Mapping[str, Any] = field(default_factory=dict)

    def read_sizes(self, config: Mapping[str, Any]) -> dict[str, Any]:
        """The sizes of an encoder, as the arguments of its backbone.

        Args:
            config: The content of ``config.json``.

        Raises:
            ValueError: A size is missing or is not a positive number; or the configuration has an activation,
                or another variant of attention, that KerasHub's layers lack.
        """
        for key, value in self.fixed.items():
            if config.get(key, value) != value:
                raise ValueError(
                    f"{key} is {config[key]!r:.80}, but KerasHub's {self.model_type} computes {value!r} alone"
                )
        activation = config.get(self.activation, self.layers[self.activation])
        if not str(activation).startswith("gelu"):
            raise ValueError(
                f"{self.activation} is {activation!r}, but KerasHub's {self.model_type} has GELU"
            )
        sizes: dict[str, Any] = {argument: config.get(key) for argument, key in self.sizes.items()}
        if self.model_type == "gpt2" and sizes["intermediate_dim"] is None:
            sizes["intermediate_dim"] = 4 * sizes["hidden_dim"] if sizes["hidden_dim"] else None
        for argument, value in sizes.items():
            is_valid = isinstance(value, int | float) if argument == "dropout" else _is_size(value)
            if not is_valid:
                raise ValueError(f"{self.sizes[argument]} is {value!r}, expected a number above 0")
        sizes["max_sequence_length"] -= self.reserved_positions
        return sizes

    def base_name(self, name: str) -> str:
        """A weight's name without the prefix.

        The first BERT files call the weights of normalization gamma and beta.

        Args:
            name: Its name in a file.
        """
        return name.removeprefix(self.prefix).replace(".gamma", ".weight").replace(".beta", ".bias")


def read_family(config: Any) -> FamilyFormat:
    """The family of an encoder.

    Args:
        config: The content of its ``config.json``.

    Raises:
        ValueError: It is of none of the families.
    """
    model_type = config.get("model_type") if isinstance(config, dict) else None
    family = FORMATS.get(str(model_type))
    if family is None:
        raise ValueError(f"model_type is {model_type!r}, expected one of {', '.join(FORMATS)}")
    return family


def is_readable(folder: Path) -> bool:
    """Whether a folder is in Hugging Face's format, of a known family, with safetensors weights.

    Args:
        folder: Any folder; it need not exist.
    """
    has_weights = (folder / MODEL).is_file() or (folder / INDEX).is_file()
    if not (folder / CONFIG).is_file() or not has_weights:
        return False
    try:
        read_family(read_json(folder / CONFIG))
    except ValueError:
        return False
    return True


def read_index(path: Path) -> dict[str, str]:
    """Which file has each weight, of a folder whose weights are in several files.

    Args:
        path: The file ``model.safetensors.index.json``.

    Returns:
        The name of a file in the same folder by the name of each weight.

    Raises:
        ValueError: It names no weights, or what is not the name of a safetensors file in its folder.
    """
    index = read_json(path)
    files = index.get("weight_map") if isinstance(index, dict) else None
    if not isinstance(files, dict) or not files:
        raise ValueError("there is no weight_map with the file of each weight")
    for name in set(map(str, files.values())):
        # A name with a separator of either kind would lead out of the folder, or into another.
        if not name.endswith(".safetensors") or set(name) & set("/\\\0"):
            raise ValueError(f"weight_map names {name!r:.80}, expected a safetensors file of the same folder")
    if len(set(files.values())) > _MAX_SHARDS:
        raise ValueError(f"weight_map names more than {_MAX_SHARDS} files")
    return {str(weight): str(name) for weight, name in files.items()}


def _is_size(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


_BERT_SIZES = {
    "vocabulary_size": "vocab_size",
    "num_layers": "num_hidden_layers",
    "num_heads": "num_attention_heads",
    "hidden_dim": "hidden_size",
    "intermediate_dim": "intermediate_size",
    "dropout": "hidden_dropout_prob",
    "max_sequence_length": "max_position_embeddings",
}
# Relative positions and causal attention have no weights of their own by which they would be noticed.
_BERT_FIXED = {"position_embedding_type": "absolute", "is_decoder": False}


def _roberta(model_type: str) -> FamilyFormat:
    return FamilyFormat(
        model_type=model_type,
        prefix="roberta.",
        sizes=_BERT_SIZES,
        # PyTorch counts positions from pad_token_id + 1; the position tables of all RoBERTas start at 2.
        layers={"hidden_act": "gelu", "layer_norm_eps": 1e-5, "type_vocab_size": 1, "pad_token_id": 1},
        activation="hidden_act",
        parts=roberta_parts,
        reserved_positions=RESERVED_POSITIONS,
        fixed=_BERT_FIXED,
    )


_FORMATS = (
    FamilyFormat(
        model_type="bert",
        prefix="bert.",
        sizes={**_BERT_SIZES, "num_segments": "type_vocab_size"},
        layers={"hidden_act": "gelu_pytorch_tanh", "layer_norm_eps": 1e-12, "pad_token_id": 0},
        activation="hidden_act",
        parts=bert_parts,
        fixed=_BERT_FIXED,
    ),
    _roberta("roberta"),
    # XLM-R differs from RoBERTa in its vocabulary alone, which a Unigram tokenizer of a hundred languages
    # has.
    _roberta("xlm-roberta"),
    FamilyFormat(
        model_type="distilbert",
        prefix="distilbert.",
        sizes={
            "vocabulary_size": "vocab_size",
            "num_layers": "n_layers",
            "num_heads": "n_heads",
            "hidden_dim": "dim",
            "intermediate_dim": "hidden_dim",
            "dropout": "dropout",
            "max_sequence_length": "max_position_embeddings",
        },
        layers={"activation": "gelu", "pad_token_id": 0},
        activation="activation",
        parts=distilbert_parts,
    ),
    FamilyFormat(
        model_type="gpt2",
        prefix="transformer.",
        sizes={
            "vocabulary_size": "vocab_size",
            "num_layers": "n_layer",
            "num_heads": "n_head",
            "hidden_dim": "n_embd",
            "intermediate_dim": "n_inner",
            "dropout": "resid_pdrop",
            "max_sequence_length": "n_positions",
        },
        # The tokenizer knows its begin and end tokens. Transformers' default for both, 50256, may lie outside
        # of the vocabulary.
        layers={
            "activation_function": "gelu_new",
            "layer_norm_epsilon": 1e-5,
            "bos_token_id": None,
            "eos_token_id": None,
        },
        activation="activation_function",
        parts=gpt2_parts,
        fixed={"scale_attn_weights": True, "scale_attn_by_inverse_layer_idx": False},
    ),
)
FORMATS = {each.model_type: each for each in _FORMATS}
