"""Encoders that KerasHub alone knows (ALBERT, Llama, Qwen …): one door, ``MetaMapper``.

``encoder.json`` names the backbone's class and its plain values, ``model.safetensors`` has its
weights under Keras' names. Other readers find no ``config.json`` and say so.

    write_backbone(encoder, folder)
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
from metamapping.interop.fitting import build_fitting
from metamapping.interop.hugging_face import MODEL
from metamapping.storage.bounded_json import read_json
from metamapping.storage.manifest import write_json
from metamapping.storage.tensors import assign_variables, read_safetensors

ENCODER = "encoder.json"
_PLAIN = (int, float, str, bool, type(None))


def write_backbone(backbone: keras.Model, folder: Path) -> None:
    """Write class, configuration and weights of a backbone."""
    config = {
        key: value
        for key, value in backbone.get_config().items()
        if isinstance(value, _PLAIN) and key not in ("name", "trainable")
    }
    write_json(folder / ENCODER, {"class": type(backbone).__name__, "config": config})
    arrays = {name: np.array(v.numpy(), order="C") for name, v in _variables(backbone).items()}
    save_file(arrays, folder / MODEL)
    (folder / MODEL).chmod(0o644)


def read_backbone(folder: Path) -> keras.Model:
    """The backbone of a folder. Raises ``StoreError`` where it does not describe one."""
    try:
        described = read_json(folder / ENCODER)
    except (OSError, ValueError) as error:
        raise StoreError(f"{folder / ENCODER} cannot be read ({error}): it is damaged") from error
    kind, config = _described(described, folder / ENCODER)
    arrays = read_safetensors(folder / MODEL)
    try:
        backbone = build_fitting(lambda: kind(**config), config, arrays)
    except Exception as error:  # whatever Keras raises for values that fit no layer
        raise StoreError(
            f"{folder / ENCODER} does not describe a {kind.__name__}: {one_line(error)}"
        ) from error
    assign_variables(_variables(backbone), arrays, folder / MODEL)
    return backbone


def _described(described: Any, path: Path) -> tuple[type, dict[str, Any]]:
    """A backbone's class and plain values: no class can be named that is no backbone of KerasHub."""
    name = described.get("class") if isinstance(described, dict) else None
    backbone = getattr(keras_hub.models, str(name), None)
    if not (isinstance(backbone, type) and issubclass(backbone, keras_hub.models.Backbone)):
        raise StoreError(f"{path} names {name!r:.80}, which is no backbone of KerasHub")
    config = described.get("config")
    # A nested value could name another class, which Keras would make.
    if not isinstance(config, dict) or not all(isinstance(value, _PLAIN) for value in config.values()):
        raise StoreError(f"{path} has no `config` of plain values")
    return backbone, config


def _variables(backbone: keras.Model) -> dict[str, keras.Variable]:
    variables = {variable.path: variable for variable in backbone.weights}
    if len(variables) != len(backbone.weights):
        raise StoreError(f"two weights of {type(backbone).__name__} have one name: it cannot be saved")
    return variables
