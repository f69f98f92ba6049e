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
from metamapping.interop.families import FAMILIES, family_of
from metamapping.interop.family_format import CONFIG as CONFIG
from metamapping.interop.family_format import MODEL as MODEL
from metamapping.interop.family_format import is_readable as is_readable
from metamapping.interop.family_format import read_family
from metamapping.storage.bounded_json import read_json
from metamapping.storage.manifest import write_json
from metamapping.storage.tensors import read_safetensors


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
        family = FAMILIES[read_family(config).model_type]
    except (OSError, ValueError) as error:
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


def _invalid_config(path: Path, error: Exception) -> StoreError:
    return StoreError(f"{path} does not describe an encoder that can be read: {one_line(error)}")
