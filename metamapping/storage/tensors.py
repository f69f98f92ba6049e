"""Tensors: arrays and Keras variables in safetensors files; never pickle.

write_variables({"encoder/kernel": variable}, path)
assign_variables({"encoder/kernel": variable}, read_safetensors(path), path)
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

import numpy as np
from safetensors.numpy import load_file, save_file

from metamapping.errors import StoreError


class Variable(Protocol):
    """What is needed of a Keras variable, so that storage does not import Keras."""

    @property
    def shape(self) -> Any:
        """The number of values along each axis."""

    def numpy(self) -> np.ndarray:
        """The values."""

    def assign(self, value: Any) -> Any:
        """Set the values."""


def read_safetensors(path: Path) -> dict[str, np.ndarray]:
    """All arrays of a file. Raises ``StoreError`` where it is damaged."""
    try:
        arrays: dict[str, np.ndarray] = load_file(path)
    except Exception as error:  # safetensors raises its own SafetensorError, and OSError
        raise StoreError(f"{path} cannot be read ({error}): it is damaged or incomplete") from error
    return arrays


def write_variables(variables: dict[str, Variable], path: Path) -> None:
    """Write the variables' values as safetensors, readable by whom the folder is."""
    save_file({name: np.array(v.numpy(), order="C") for name, v in variables.items()}, path)
    path.chmod(0o644)


def assign_variables(variables: dict[str, Variable], values: dict[str, np.ndarray], path: Path) -> None:
    """Set every variable from ``values``; names and shapes must agree exactly."""
    if set(variables) != set(values):
        different = sorted(set(variables) ^ set(values))[:3]
        raise StoreError(f"{path} holds other weights than this encoder has: {', '.join(different)}")
    for name, variable in variables.items():
        if tuple(variable.shape) != values[name].shape:
            raise StoreError(f"{path}: {name} is {values[name].shape}, expected {tuple(variable.shape)}")
        variable.assign(values[name])
