"""Hugging Face's format: ``config.json`` and ``model.safetensors``, which KerasHub reads as well.

Such a folder is what ``AutoModel.from_pretrained`` and ``keras_hub.models.Backbone.from_preset`` expect, so
that one copy of the weights serves all of them.

    write_backbone(backbone, folder)             # a backbone of a family in `interop.families`
    backbone = read_backbone(folder)             # written here or by any other tool
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
    """Write configuration and weights of a backbone.

    Args:
        backbone: A backbone of one of the ``FAMILIES``.
        folder: An existing folder.

    Raises:
        ValueError: The backbone belongs to none of the families.
    """
    family = family_of(backbone)
    if family is None:
        raise ValueError(
            f"{type(backbone).__name__} cannot be written for Hugging Face: expected a backbone of "
            f"{', '.join(FAMILIES)}"
        )
    write_json(folder / CONFIG, family.to_config(backbone))
    # Transformers requires this entry: the framework by whose conventions the arrays are laid out.
    save_file(family.to_arrays(backbone), folder / MODEL, metadata={"format": "pt"})
    (folder / MODEL).chmod(0o644)


def read_backbone(folder: Path) -> keras.Model:
    """The backbone of a folder, with its weights.

    KerasHub reads such folders too. But of RoBERTa and DistilBERT it reads only files whose names have a
    prefix, which PyTorch's base classes do not write, and of BERT only files with a pooler.

    Args:
        folder: One that ``is_readable`` accepts.

    Raises:
        StoreError: Configuration or weights are damaged, or do not fit each other.
    """
    path = folder / CONFIG
    try:
        config = read_json(path)
        family = _family(config)
    except (OSError, ValueError, AttributeError) as error:
        raise _invalid_config(path, error) from error
    arrays = read_safetensors(folder / MODEL)
    try:
        backbone = family.build(config, arrays)
    except Exception as error:  # Keras raises many types for sizes that no layer can have
        raise _invalid_config(path, error) from error
    try:
        family.assign(backbone, arrays)
    except ValueError as error:
        raise StoreError(f"{folder / MODEL} does not fit {path}: {error}") from error
    return backbone


def is_readable(folder: Path) -> bool:
    """Whether ``read_backbone`` can read a folder.

    Args:
        folder: Any folder; it need not exist.

    Returns:
        True if the folder is in Hugging Face's format, of a known family, with its weights in one file.
    """
    if not (folder / CONFIG).is_file() or not (folder / MODEL).is_file():
        return False
    try:
        config = read_json(folder / CONFIG)
    except ValueError:
        return False
    return isinstance(config, dict) and config.get("model_type") in FAMILIES


def _family(config: dict[str, object]) -> Family:
    family = FAMILIES.get(str(config.get("model_type")))
    if family is None:
        raise ValueError(f"model_type is {config.get('model_type')!r}, expected one of {', '.join(FAMILIES)}")
    return family


def _invalid_config(path: Path, error: Exception) -> StoreError:
    return StoreError(f"{path} does not describe an encoder that can be read: {one_line(error)}")
