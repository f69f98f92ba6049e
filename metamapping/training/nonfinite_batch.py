"""Stores the batches of a meta-step whose loss was not finite, for inspection.

``batch.safetensors`` holds the arrays that the learner was given (``episodes.batches`` documents their
shapes), each as ``<number of the batch>/<name>``. ``batch.json`` holds the step, and for each batch its
source, its loss, its labels and the numbers of its rows in the source's token shards.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from metamapping.episodes.label_space import LabelSpace
from metamapping.episodes.sampler import Draw
from metamapping.storage import remote
from metamapping.storage.manifest import write_json


def write_nonfinite_batch(
    folder: Path,
    step: int,
    spaces: Sequence[LabelSpace],
    draws: Sequence[Draw],
    batches: Mapping[int, Mapping[str, np.ndarray]],
    losses: Sequence[float] | np.ndarray,
) -> None:
    """Write all batches of a step into ``folder``.

    Args:
        folder: Created where it does not exist.
        step: Number of the step, from 1.
        spaces: The label spaces that the draws refer to.
        draws: The draws of the step.
        batches: The batches that this process built, by the number of their draw.
        losses: The loss of each draw.
    """
    folder.mkdir(parents=True, exist_ok=True)
    arrays = {
        f"{number}/{name}": np.ascontiguousarray(value)
        for number, batch in batches.items()
        for name, value in batch.items()
    }
    save_file(arrays, folder / "batch.safetensors")
    described = [
        {
            "source": spaces[draw.space].source,
            "loss": str(float(loss)),  # JSON has no number for NaN
            "labels": [spaces[draw.space].labels[label] for label in draw.labels],
            "rows": draw.rows.tolist(),
        }
        for draw, loss in zip(draws, losses, strict=True)
    ]
    write_json(folder / "batch.json", {"step": step, "batches": described})
    remote.share_folder(folder)
