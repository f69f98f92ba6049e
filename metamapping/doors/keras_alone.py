"""Encoders that KerasHub alone knows (ALBERT, Llama, Qwen …): one door, ``MetaMapper``.

``encoder.json`` names the backbone's class and its plain values, ``model.safetensors`` has its
weights under Keras' names. Other readers find no ``config.json`` and say so.

    write_backbone(encoder, folder)
    backbone = read_backbone(folder)
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import keras
import keras_hub
import numpy as np
from safetensors.numpy import save_file

from metamapping.checkpoints import assign_variables, read_safetensors
from metamapping.doors.hugging_face import MODEL
from metamapping.store import StoreError, write_json

ENCODER = "encoder.json"


def write_backbone(backbone: keras.Model, folder: Path) -> None:
    """Write class, configuration and weights of a backbone."""
    config = {
        key: value
        for key, value in backbone.get_config().items()
        if isinstance(value, (int, float, str, bool, type(None))) and key not in ("name", "trainable")
    }
    write_json(folder / ENCODER, {"class": type(backbone).__name__, "config": config})
    arrays = {name: np.array(v.numpy(), order="C") for name, v in _variables(backbone).items()}
    save_file(arrays, folder / MODEL)
    (folder / MODEL).chmod(0o644)


def read_backbone(folder: Path) -> keras.Model:
    """The backbone of a folder. Raises ``StoreError`` where it does not describe one."""
    try:
        described = json.loads((folder / ENCODER).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise StoreError(f"{folder / ENCODER} cannot be read ({error}): it is damaged") from error
    backbone = _build(described, folder / ENCODER)
    assign_variables(_variables(backbone), read_safetensors(folder / MODEL), folder / MODEL)
    return backbone


def _build(described: Any, path: Path) -> keras.Model:
    """A KerasHub backbone from its class name and plain values: no other class can be named."""
    name = described.get("class") if isinstance(described, dict) else None
    backbone = getattr(keras_hub.models, str(name), None)
    if not (isinstance(backbone, type) and issubclass(backbone, keras_hub.models.Backbone)):
        raise StoreError(f"{path} names {name!r}, which is no backbone of KerasHub")
    if not isinstance(described.get("config"), dict):
        raise StoreError(f"{path} has no `config` of plain values")
    try:
        return backbone(**described["config"])
    except (TypeError, ValueError) as error:
        raise StoreError(f"{path} does not describe a {name}: {error}") from error


def _variables(backbone: keras.Model) -> dict[str, keras.Variable]:
    variables = {variable.path: variable for variable in backbone.weights}
    if len(variables) != len(backbone.weights):
        raise StoreError(f"two weights of {type(backbone).__name__} have one name: it cannot be saved")
    return variables
