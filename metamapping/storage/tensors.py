"""Tensors: arrays and Keras variables in safetensors files, never pickle.

Variables are written to a file by name, and set from one. No variable is set unless all names and shapes
match exactly.

    write_variables({"encoder/kernel": variable}, path)
    assign_variables({"encoder/kernel": variable}, read_safetensors(path), path)
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from safetensors.numpy import load_file, save_file

from metamapping.errors import StoreError


class Variable(Protocol):
    """The part of a Keras variable that is needed here, so that storage does not import Keras."""

    @property
    def shape(self) -> Any:
        """The number of values along each axis."""

    def numpy(self) -> np.ndarray:
        """Return the values."""

    def assign(self, value: Any) -> Any:
        """Set the values.

        Args:
            value: An array of the variable's shape.
        """


def read_safetensors(path: Path) -> dict[str, np.ndarray]:
    """Read all arrays of a safetensors file, by name.

    Args:
        path: The file.

    Raises:
        StoreError: The file is missing or damaged.
    """
    try:
        arrays: dict[str, np.ndarray] = load_file(path)
    except Exception as error:  # safetensors raises its own SafetensorError, and OSError
        raise StoreError(f"{path} cannot be read ({error}): it is damaged or incomplete") from error
    return arrays


def write_variables(variables: dict[str, Variable], path: Path) -> None:
    """Write the values of variables as a safetensors file.

    Args:
        variables: The variables by the name that their array gets.
        path: The file.
    """
    write_safetensors({name: v.numpy() for name, v in variables.items()}, path)


def write_safetensors(arrays: Mapping[str, np.ndarray], path: Path) -> None:
    """Write arrays as a safetensors file.

    Args:
        arrays: The arrays by name.
        path: The file.
    """
    save_file({name: np.array(array, order="C") for name, array in arrays.items()}, path)
    # safetensors creates files that only their owner can read; the folder's own permissions decide here.
    path.chmod(0o644)


def assign_variables(variables: dict[str, Variable], values: dict[str, np.ndarray], path: Path) -> None:
    """Set every variable to the array of its name.

    Args:
        variables: The variables by name.
        values: The arrays by name.
        path: Where the arrays come from, for error messages.

    Raises:
        StoreError: Names or shapes differ.
    """
    if set(variables) != set(values):
        different = sorted(set(variables) ^ set(values))[:3]
        raise StoreError(f"{path} holds other weights than this encoder has: {', '.join(different)}")
    for name, variable in variables.items():
        if tuple(variable.shape) != values[name].shape:
            raise StoreError(f"{path}: {name} is {values[name].shape}, expected {tuple(variable.shape)}")
        variable.assign(values[name])
