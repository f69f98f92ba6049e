"""Memory of many tuned tasks that share one encoder.

    python -m benchmarks.tuned_memory PUBLISHED [--tasks 100]

In: a published folder with a graph. Out: what tasks with random changes of all layers add to the peak memory
of a process, after each has encoded a text, and what the change of one task takes on disk, as Markdown.
"""

from __future__ import annotations

import argparse
import resource
from pathlib import Path
from typing import Any

import numpy as np

from metamapping import MetaMapper
from metamapping.models.weight_delta import WeightDelta

_TEXT = ["where is my parcel"]
RANK = 16  # as `adaptation.tuning.tuning_steps`, which imports TensorFlow


def main() -> None:
    """Print the row of "Tuning" in benchmarks/README.md."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("published", type=Path)
    parser.add_argument("--tasks", type=int, default=100)
    options = parser.parse_args()
    mapper = MetaMapper.from_pretrained(options.published, backend="runtime", progress=False)
    shapes = layer_shapes(mapper)
    rng = np.random.default_rng(0)
    mapper.featurizer.texts(_TEXT)
    before, kept = peak_bytes(), []
    for _ in range(options.tasks):
        change = random_change(rng, shapes)
        kept.append(mapper.featurizer.tuned(change))
        kept[-1].texts(_TEXT)
    added = (peak_bytes() - before) / 1e6
    print("| tasks | added peak memory, MB | a task's change, MB |\n| --- | --- | --- |")
    print(f"| {len(kept)} | {added:.0f} | {change.num_bytes / 1e6:.2f} |")


def layer_shapes(mapper: MetaMapper) -> dict[str, tuple[int, ...]]:
    """The shapes of the weights of all layers, by name.

    Args:
        mapper: An encoder that runs on its graph.
    """
    encoder: Any = mapper.featurizer.model.encoder
    shapes = encoder.tunable_shapes
    return {name: shape for name, shape in shapes.items() if "embeddings" not in name}


def random_change(rng: np.random.Generator, shapes: dict[str, tuple[int, ...]]) -> WeightDelta:
    """A change as large as that of a tuned task.

    Args:
        rng: Determines it.
        shapes: The shapes of the weights by name.
    """

    def small(*shape: int) -> np.ndarray:
        array: np.ndarray = rng.normal(0, 0.01, shape).astype(np.float16)
        return array

    matrices = {
        name: (small(shape[0], RANK), small(RANK, shape[1]))
        for name, shape in shapes.items()
        if len(shape) == 2
    }
    return WeightDelta(matrices, {name: small(*shape) for name, shape in shapes.items() if len(shape) == 1})


def peak_bytes() -> int:
    """The largest memory of this process so far."""
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


if __name__ == "__main__":
    main()
