"""Hugging Face's door: ``config.json`` and ``model.safetensors``, which KerasHub reads as well.

The folder is then what ``AutoModel.from_pretrained`` and ``keras_hub.models.Backbone.from_preset``
expect: one copy of the weights for everybody.

    write_backbone(backbone, folder)             # a backbone that `family_of` knows
    backbone = read_backbone(folder)             # ours, or anybody's of those families
"""

from __future__ import annotations

from pathlib import Path

import keras
from safetensors.numpy import save_file

from metamapping.errors import StoreError, one_line
from metamapping.interop.families import FAMILIES, Family, family_of
from metamapping.storage.bounded_json import read_json
from metamapping.storage.manifest import write_json
from metamapping.storage.tensors import read_safetensors

CONFIG, MODEL = "config.json", "model.safetensors"


def write_backbone(backbone: keras.Model, folder: Path) -> None:
    """Write configuration and weights. Raises ``ValueError`` where the family has no such door."""
    family = family_of(backbone)
    if family is None:
        raise ValueError(
            f"{type(backbone).__name__} cannot be written for Hugging Face: expected a backbone of "
            f"{', '.join(FAMILIES)}"
        )
    write_json(folder / CONFIG, family.to_config(backbone))
    # PyTorch's side asks for this word on how the arrays are laid out.
    save_file(family.to_arrays(backbone), folder / MODEL, metadata={"format": "pt"})
    (folder / MODEL).chmod(0o644)


def read_backbone(folder: Path) -> keras.Model:
    """The backbone of a folder for which ``is_readable`` says yes. Raises ``StoreError``.

    KerasHub reads such a folder too, but of RoBERTa and DistilBERT only files whose names have a
    prefix, which those of PyTorch's base classes have not, and of BERT only files with a pooler.
    """
    path = folder / CONFIG
    try:
        config = read_json(path)
        family = _family(config)
    except (OSError, ValueError, AttributeError) as error:
        raise _no_encoder(path, error) from error
    arrays = read_safetensors(folder / MODEL)
    try:
        backbone = family.build(config, arrays)
    except Exception as error:  # whatever Keras raises for sizes that fit no layer
        raise _no_encoder(path, error) from error
    try:
        family.assign(backbone, arrays)
    except ValueError as error:
        raise StoreError(f"{folder / MODEL} does not fit {path}: {error}") from error
    return backbone


def is_readable(folder: Path) -> bool:
    """Whether a folder is Hugging Face's, of a family known here, with its weights in one file."""
    if not (folder / CONFIG).is_file() or not (folder / MODEL).is_file():
        return False
    try:
        config = read_json(folder / CONFIG)
    except ValueError:
        return False
    return isinstance(config, dict) and config.get("model_type") in FAMILIES


def _no_encoder(path: Path, error: Exception) -> StoreError:
    return StoreError(f"{path} does not describe an encoder that can be read: {one_line(error)}")


def _family(config: dict[str, object]) -> Family:
    family = FAMILIES.get(str(config.get("model_type")))
    if family is None:
        raise ValueError(f"model_type is {config.get('model_type')!r}, expected one of {', '.join(FAMILIES)}")
    return family
