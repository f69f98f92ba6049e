"""Export: a task as one ONNX file and its tokenizer, for programs that have no metamapping.

export_task(featurizer, state, Path("orders.onnx"))         # and tokenizer.json next to it
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from metamapping.adaptation.featurizer import Featurizer
from metamapping.adaptation.state import TaskState
from metamapping.publishing.graphs import open_graph
from metamapping.runtime.graph_file import GRAPH
from metamapping.runtime.task_graph import TaskHead, task_graph
from metamapping.storage.remote import place_of

TOKENIZER = "tokenizer.json"


def export_task(featurizer: Featurizer, state: TaskState, path: Path) -> Path:
    """Write a task of texts as an ONNX file from token ids to probabilities, and its tokenizer.

    Texts are not cleaned by the file: clean them first if they have HTML or broken characters. Longer texts
    than the encoder reads at once are cut there, where ``Mapping`` reads them in windows.

    Args:
        featurizer: The encoder that the task was adapted with.
        state: The task.
        path: The file to write, ``….onnx``; the tokenizer becomes ``tokenizer.json`` in the same folder.

    Returns:
        The absolute path of the file.

    Raises:
        ValueError: The task is one of named entities, the encoder's folder has no graph, or the file is
            there, or the tokenizer of another encoder.
    """
    path = path.absolute()
    folder, tokenizer = featurizer.model.tokenizer_folder, path.parent / TOKENIZER
    if state.is_ner:
        raise ValueError("only tasks of texts can be exported: the task is one of named entities (ner)")
    if path.suffix != ".onnx":
        raise ValueError(f"{path} is not named like an ONNX file: give it the ending .onnx")
    if path.exists():
        raise ValueError(f"{path} already exists: remove it, or export into another folder")
    content = featurizer.tokenizer_json.encode()
    # The tasks of one encoder share its tokenizer.
    if tokenizer.exists() and tokenizer.read_bytes() != content:
        raise ValueError(
            f"{tokenizer} already exists, and is that of another encoder: remove it, or export into another "
            "folder"
        )
    opened = open_graph(featurizer.model)
    if opened is None:
        raise ValueError(
            f"{place_of(folder)} has no graph ({GRAPH}): publish the encoder with this release, and "
            "adapt the task to it"
        )
    # Scores are affine in the features: those of no feature, and of each feature alone, say everything.
    width = featurizer.text_dim
    bias = state.solution.scores(np.zeros((1, width), np.float32))
    kernel = state.solution.scores(np.eye(width, dtype=np.float32)) - bias
    cuts = None if state.grade_cuts is None else state.grade_cuts.affine(kernel, bias[0])
    share = 0.0 if state.grade_cuts is None else state.grade_cuts.share
    head = TaskHead(kernel, bias[0], state.calibration.scale, state.labels, state.is_ordinal, cuts, share)
    model = task_graph(*opened, head=head, delta=featurizer.delta)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(model.SerializeToString())
    tokenizer.write_bytes(content)
    return path
