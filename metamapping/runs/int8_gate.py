"""The gate of 8 bits: a checkpoint that is to be published, scored on the validation sources in 8 bits.

check = measure_int8(run, learner, validation_cells)     # ``None`` if 8 bits cannot be measured here
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from metamapping.corpus.ragged import Ragged
from metamapping.publishing.int8_check import Int8Check
from metamapping.rounds.records import Cell
from metamapping.runs.folder import RunFolder
from metamapping.runs.label_spaces import read_spaces
from metamapping.runtime.encoder import RuntimeEncoder
from metamapping.runtime.graph_file import read_graph, write_graph
from metamapping.runtime.graphs import GRAPH_FAMILIES, build_graph
from metamapping.runtime.quantization import products_overflow
from metamapping.runtime.weight_file import WeightFile

if TYPE_CHECKING:
    from metamapping.training.learner import Learner

_DIGITS = 6


def measure_int8(run: RunFolder, learner: Learner, cells: Sequence[Cell]) -> Int8Check | None:
    """Score the encoder in 8 bits on the episodes of the validation sources.

    Args:
        run: An opened run.
        learner: Encoder and mapping of the checkpoint.
        cells: Its scores in float32 on the validation sources.

    Returns:
        ``None`` if the encoder has no graph, if this processor's products of 8 bits overflow, or if there are
        no validation sources.
    """
    from metamapping.adaptation.evaluation.evaluation import evaluate

    config = run.config
    spaces = read_spaces(config, run.corpus, "validation")
    with tempfile.TemporaryDirectory() as folder:
        encoder = _quantized(Path(folder), learner, config.encoder.max_length_tokens) if spaces else None
        if encoder is None:
            return None
        scores = evaluate(
            EvaluatedRuntime(encoder),
            learner.mapping,
            spaces,
            config.evaluation,
            seed=config.seed,
        )
    return Int8Check(
        float32=round(float(np.mean([np.mean(cell.scores) for cell in cells])), _DIGITS),
        int8=round(float(np.mean([np.mean(each) for each in scores.values()])), _DIGITS),
        num_sources=len(spaces),
    )


class EvaluatedRuntime:
    """A runtime encoder as ``adaptation.evaluation.evaluation`` uses encoders.

    Args:
        encoder: The runtime encoder.
    """

    def __init__(self, encoder: RuntimeEncoder) -> None:
        self.encode = encoder.encode
        self._dim = encoder.dim

    def names(self, batch: Any) -> Any:
        """Features of label names: the first view of texts.

        Args:
            batch: ``label_token_ids`` and ``label_padding_mask``, each ``(C, L)``.

        Returns:
            Float32 ``(C, dim)``, a tensor.
        """
        import tensorflow as tf

        token_ids, lengths = (np.asarray(batch[key]) for key in ("label_token_ids", "label_padding_mask"))
        rows = [ids[:length] for ids, length in zip(token_ids, lengths.sum(axis=1), strict=True)]
        tokens = Ragged.from_lists(rows, np.int32)
        segments = Ragged(np.zeros_like(tokens.values), tokens.offsets)
        return tf.constant(self.encode(tokens, segments)[:, : self._dim])


def _quantized(folder: Path, learner: Learner, max_length_tokens: int) -> RuntimeEncoder | None:
    """The encoder in 8 bits, from files as a published folder has them."""
    from metamapping.interop import hugging_face
    from metamapping.interop.families import family_of

    backbone = learner.encoder.backbone
    family = family_of(backbone)
    if family is None or family.model_type not in GRAPH_FAMILIES or products_overflow():
        return None
    hugging_face.write_backbone(backbone, folder)
    weights = WeightFile(folder / hugging_face.MODEL)
    write_graph(folder, build_graph(family.model_type, family.to_config(backbone), weights))
    graph = read_graph(folder, weights, max_length_tokens=max_length_tokens)
    return RuntimeEncoder(graph, weights, precision="int8")
