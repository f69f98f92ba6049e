"""Pretrained weights: the encoder of a plain Hugging Face folder, as the runtime reads it, without Keras.

The folder has no graph. One is built from its configuration and the names and shapes of its weights, which
takes milliseconds; nothing is written. The weights of other classes and of earlier releases of transformers
have other names for the same arrays, and may have 16 bits: both are read as a published folder has them.

    weights = PretrainedWeights(folder)
    graph = pretrained_graph(weights, max_length_tokens=128)
    encoder = RuntimeEncoder(graph, weights)
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

from metamapping.errors import StoreError, one_line
from metamapping.interop.family_format import CONFIG, INDEX, MODEL, read_family, read_index
from metamapping.runtime.graph_file import Graph, check_graph
from metamapping.runtime.graphs import build_graph
from metamapping.runtime.weight_file import WeightFile
from metamapping.storage.bounded_json import read_json

_TYPES = {"F32": "<f4", "F64": "<f8", "F16": "<f2", "BF16": "<u2"}


class PretrainedWeights(WeightFile):
    """The weights of a Hugging Face folder, under the names that a published folder gives them.

    Args:
        folder: One that ``interop.family_format.is_readable`` accepts.

    Attributes:
        config: The content of ``config.json``.
        family: What is known of its family.
        sizes: The sizes of the encoder, as the arguments of Keras' backbone.

    Raises:
        StoreError: Configuration or weights are damaged, or do not fit each other.
    """

    def __init__(self, folder: Path) -> None:
        path = folder / CONFIG
        try:
            self.config: dict[str, Any] = read_json(path)
            self.family = read_family(self.config)
            self.sizes = self.family.read_sizes(self.config)
            if self.sizes["hidden_dim"] % self.sizes["num_heads"]:
                raise ValueError(f"{self.sizes['num_heads']} heads cannot share {self.sizes['hidden_dim']}")
        except (OSError, ValueError) as error:
            raise StoreError(
                f"{path} does not describe an encoder that can be read: {one_line(error)}"
            ) from error
        super().__init__(*_files(folder))
        prefix, base_name = self.family.prefix, self.family.base_name
        self.entries = {f"{prefix}{base_name(name)}": entry for name, entry in self.entries.items()}
        for part in self.family.parts(self.sizes["num_layers"]):
            entry, name = self.entries.get(f"{prefix}{part.name}"), f"{prefix}{part.name}"
            expected = part.shape(self.sizes)
            if entry is None and part.is_optional:
                continue
            if entry is None:
                raise StoreError(f"{self.path} does not fit {path}: there is no {name}")
            if entry.shape != expected:
                raise StoreError(f"{self.path} does not fit {path}: {name} is {entry.shape}, not {expected}")

    def array(self, name: str) -> np.ndarray:
        """An array in float32, read-only; mapped into memory if it is stored so.

        Args:
            name: Its name in a published folder.

        Raises:
            StoreError: There is no such array, or its type is not a floating-point one.
        """
        entry = self.entries.get(name)
        if entry is None or entry.dtype not in _TYPES:
            raise StoreError(f"{self.path}: there is no floating-point array {name!r:.80}")
        stored = np.frombuffer(
            self._bytes[entry.file], _TYPES[entry.dtype], math.prod(entry.shape), entry.offset
        )
        if entry.dtype == "BF16":  # the upper half of a float32
            stored = (stored.astype(np.uint32) << 16).view(np.float32)
        return stored.astype(np.float32, copy=False).reshape(entry.shape)

    def keras_arrays(self) -> dict[str, np.ndarray]:
        """All weights as Keras has them, by the names of ``models.variables``; the heads are joined."""
        arrays: dict[str, np.ndarray] = {}
        for part in self.family.parts(self.sizes["num_layers"]):
            name = f"{self.family.prefix}{part.name}"
            is_missing = part.is_optional and name not in self.entries
            array = np.zeros(part.shape(self.sizes), np.float32) if is_missing else self.array(name)
            arrays |= {f"encoder/{path}": values for path, values in part.to_keras(array).items()}
        return arrays


def _files(folder: Path) -> tuple[Path, list[Path] | None]:
    """The file of the weights, or the index of several, and these. Raises ``StoreError``."""
    if (folder / MODEL).is_file():
        return folder / MODEL, None
    index = folder / INDEX
    try:
        return index, [folder / name for name in sorted(set(read_index(index).values()))]
    except (OSError, ValueError) as error:
        raise StoreError(
            f"{index} names no weights ({one_line(error)}): download the folder again"
        ) from error


def pretrained_graph(weights: PretrainedWeights, *, max_length_tokens: int) -> Graph:
    """The graph of a pretrained encoder, checked as one that was read.

    Args:
        weights: Its weights.
        max_length_tokens: Length of the longest text.

    Raises:
        StoreError: The weights are none of an encoder.
    """
    model = build_graph(weights.family.model_type, weights.config, weights)
    data = model.SerializeToString(deterministic=True)
    return check_graph(data, weights.path, weights, max_length_tokens=max_length_tokens)
