"""Encoders that only KerasHub knows (ALBERT, Llama, Qwen …), in a format that only ``MetaMapper`` reads.

``encoder.json`` names the backbone's class and its plain arguments; ``model.safetensors`` has its weights
under Keras' names. Other libraries report that ``config.json`` is missing.

    write_backbone(backbone, folder)
    backbone = read_backbone(folder)
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import keras_hub
import numpy as np
from safetensors.numpy import save_file

from metamapping.errors import StoreError, one_line
from metamapping.interop.bounded_build import build_bounded
from metamapping.interop.hugging_face import MODEL
from metamapping.storage.bounded_json import read_json
from metamapping.storage.manifest import write_json
from metamapping.storage.tensors import assign_variables, read_safetensors

ENCODER = "encoder.json"
_PLAIN_TYPES = (int, float, str, bool, type(None))


def write_backbone(backbone: keras.Model, folder: Path) -> None:
    """Write class, configuration and weights of a backbone.

    Args:
        backbone: Any backbone of KerasHub.
        folder: An existing folder.

    Raises:
        StoreError: Two of its weights have the same name.
    """
    config = {
        key: value
        for key, value in backbone.get_config().items()
        if isinstance(value, _PLAIN_TYPES) and key not in ("name", "trainable")
    }
    write_json(folder / ENCODER, {"class": type(backbone).__name__, "config": config})
    arrays = {name: np.array(v.numpy(), order="C") for name, v in _variables(backbone).items()}
    save_file(arrays, folder / MODEL)
    (folder / MODEL).chmod(0o644)


def read_backbone(folder: Path) -> keras.Model:
    """The backbone of a folder, with its weights.

    Args:
        folder: A folder that ``write_backbone`` wrote; it may come from elsewhere and is not trusted.

    Raises:
        StoreError: The folder does not describe a backbone of KerasHub, or its weights do not fit.
    """
    described = _described(folder)  # before the weights are read
    return _build(folder, described, read_safetensors(folder / MODEL))


def build_backbone(folder: Path, arrays: dict[str, np.ndarray]) -> keras.Model:
    """The backbone that a folder describes, with given weights.

    Args:
        folder: A folder with ``encoder.json``, which is not trusted.
        arrays: The weights under Keras' names.

    Raises:
        StoreError: The folder does not describe a backbone of KerasHub, or the weights do not fit.
    """
    return _build(folder, _described(folder), arrays)


def _build(
    folder: Path, described: tuple[type, dict[str, Any]], arrays: dict[str, np.ndarray]
) -> keras.Model:
    backbone_class, config = described
    try:
        backbone = build_bounded(lambda: backbone_class(**config), config, arrays)
    except Exception as error:  # Keras raises many types for values that no layer can have
        raise StoreError(
            f"{folder / ENCODER} does not describe a valid {backbone_class.__name__}: {one_line(error)}"
        ) from error
    assign_variables(_variables(backbone), arrays, folder / MODEL)
    return backbone


def _described(folder: Path) -> tuple[type, dict[str, Any]]:
    """A backbone's class and plain arguments; only classes of KerasHub's backbones can be named."""
    path = folder / ENCODER
    try:
        content = read_json(path)
    except (OSError, ValueError) as error:
        raise StoreError(f"{path} cannot be read ({error}): it is damaged") from error
    name = content.get("class") if isinstance(content, dict) else None
    backbone_class = getattr(keras_hub.models, str(name), None)
    if not (isinstance(backbone_class, type) and issubclass(backbone_class, keras_hub.models.Backbone)):
        raise StoreError(f"{path} names {name!r:.80}, which is not a backbone of KerasHub")
    config = content.get("config")
    # A nested value could name another class, which Keras would instantiate.
    if not isinstance(config, dict) or not all(isinstance(value, _PLAIN_TYPES) for value in config.values()):
        raise StoreError(f"{path} has no `config` of plain values")
    return backbone_class, config


def _variables(backbone: keras.Model) -> dict[str, keras.Variable]:
    variables = {variable.path: variable for variable in backbone.weights}
    if len(variables) != len(backbone.weights):
        raise StoreError(
            f"two weights of {type(backbone).__name__} have the same name: this encoder cannot be saved"
        )
    return variables
