"""Graphs: the checked graph of a folder with its weights, whether it was published or not.

graph, weights = open_graph(model)
"""

from __future__ import annotations

from metamapping.interop.family_format import is_readable
from metamapping.publishing.layout import MODEL, list_files
from metamapping.publishing.loaded_model import LoadedModel
from metamapping.runtime.graph_file import GRAPH, Graph, read_graph
from metamapping.runtime.pretrained_weights import PretrainedWeights, pretrained_graph
from metamapping.runtime.weight_file import WeightFile
from metamapping.storage.manifest import MANIFEST


def open_graph(model: LoadedModel) -> tuple[Graph, WeightFile] | None:
    """The graph of an encoder's folder and its weights; built in memory if the folder was not published.

    Args:
        model: A model that was read from a folder, with whatever backend.

    Returns:
        ``None`` if the folder has no graph, and none can be built.

    Raises:
        StoreError: The graph or the weights are damaged.
    """
    folder, max_length_tokens = model.tokenizer_folder, model.max_length_tokens
    if (folder / MANIFEST).is_file():
        if GRAPH not in list_files(folder):
            return None
        weights = WeightFile(folder / MODEL)
        return read_graph(folder, weights, max_length_tokens=max_length_tokens), weights
    if not is_readable(folder):
        return None
    pretrained = PretrainedWeights(folder)
    return pretrained_graph(pretrained, max_length_tokens=max_length_tokens), pretrained
