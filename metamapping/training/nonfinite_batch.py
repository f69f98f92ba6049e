"""The batch of a meta-step whose loss was not finite, kept for inspection; never pickle.

``batch.safetensors`` holds the arrays that the learner was given (``episodes.batches`` says their shapes),
each under ``<number of the batch>/<name>``; ``batch.json`` the step, and of each batch its source, its loss,
its labels and the numbers of its rows in the source's ``tokens`` shards.

    write_bad_batch(folder, step=17, spaces=spaces, draws=draws, batches=batches, losses=losses)
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


def write_bad_batch(
    folder: Path,
    *,
    step: int,
    spaces: Sequence[LabelSpace],
    draws: Sequence[Draw],
    batches: Mapping[int, Mapping[str, np.ndarray]],
    losses: Sequence[float],
) -> None:
    """Write all batches of a step into ``folder``; ``batches``: those of ``draws`` that were made here."""
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
            "loss": str(float(loss)),  # JSON has no number for it
            "labels": [spaces[draw.space].labels[label] for label in draw.labels],
            "rows": draw.rows.tolist(),
        }
        for draw, loss in zip(draws, losses, strict=True)
    ]
    write_json(folder / "batch.json", {"step": step, "batches": described})
    remote.share_folder(folder)
