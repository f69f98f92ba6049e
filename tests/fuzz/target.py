"""A target of fuzzing: a way by which files from untrusted sources get in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

SAMPLES = Path(__file__).parents[2] / "samples"


class Target:
    """A way by which files get in; ``folder`` is for temporary files."""

    memory_megabytes = 1_000  # that it may need in addition to what the process has already
    needs_tensorflow = False
    seeds: list[tuple[bytes, str]]

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def run(self, data: bytes, rng: np.random.Generator) -> None:
        """Read ``data``, the mutated bytes of a seed."""
        raise NotImplementedError


def pick(values: list[Any], rng: np.random.Generator) -> Any:
    return values[rng.integers(len(values))]
