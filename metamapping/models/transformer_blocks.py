"""Transformer blocks: which layers of a KerasHub backbone they are, found by the structure of its graph.

KerasHub names the blocks of each model differently (``transformer_layer_0``, ``decoder_block_0``,
``disentangled_attention_encoder_layer_0``), and ALBERT calls one block several times. What they have in
common: a block is a layer with sublayers that maps states to states of the same shape, and the class of the
blocks is called more often than any other such class.

    blocks = transformer_blocks(backbone)        # each layer once, from the first to the last
    states = block_outputs(backbone)             # the symbolic states after each call of a block
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import keras


def transformer_blocks(backbone: keras.Model) -> list[keras.layers.Layer]:
    """The transformer blocks of a backbone, from the first to the last.

    Args:
        backbone: A functional model of token states, as KerasHub's backbones of text are.

    Returns:
        Each layer once: ALBERT's shared block is one, however often it is called. Empty where the backbone
        has no layer of that structure.
    """
    return list(dict.fromkeys(call.operation for call in _block_calls(backbone)))


def block_calls(backbone: keras.Model) -> list[keras.layers.Layer]:
    """The transformer blocks of a backbone in the order in which they are called, a shared one every time.

    Args:
        backbone: As for ``transformer_blocks``.
    """
    return [call.operation for call in _block_calls(backbone)]


def block_outputs(backbone: keras.Model) -> list[Any]:
    """The symbolic states ``(batch, length, dim)`` after each call of a block, from the first to the last.

    Args:
        backbone: As for ``transformer_blocks``.

    Returns:
        One tensor for each layer of the network's depth, so that ALBERT's shared block counts every time.
    """
    return [call.output_tensors[0] for call in _block_calls(backbone)]


def block_inputs(backbone: keras.Model) -> list[Any]:
    """The symbolic states ``(batch, length, dim)`` before each call of a block, from the first to the last.

    Args:
        backbone: As for ``transformer_blocks``.

    Returns:
        As for ``block_outputs``; the first are the embeddings.
    """
    shape = token_states(backbone).shape
    return [
        next(tensor for tensor in call.input_tensors if tensor.shape == shape)
        for call in _block_calls(backbone)
    ]


def token_states(backbone: keras.Model) -> Any:
    """The symbolic output states of a backbone; BERT has a pooled output as well.

    Args:
        backbone: A backbone of KerasHub.

    Returns:
        A symbolic tensor ``(batch, length, dim)``.
    """
    outputs = backbone.output
    return outputs["sequence_output"] if isinstance(outputs, dict) else outputs


def _block_calls(backbone: keras.Model) -> list[Any]:
    """The nodes of the backbone's graph in which a block is called, in order."""
    shape = token_states(backbone).shape
    calls = [call for call in _calls_in_order(backbone) if _maps_states_to_states(call, shape)]
    # A class of one call is a block too: the only one of a model with a single layer.
    counts = Counter(type(call.operation) for call in calls)
    block_class = max(counts, key=counts.__getitem__, default=None)
    return [call for call in calls if type(call.operation) is block_class]


def _calls_in_order(backbone: keras.Model) -> list[Any]:
    """All nodes of the backbone's graph, those that others depend on first.

    Keras numbers the depth of nodes from the outputs. A shared layer has one node for each of its calls,
    which ``layer.output`` cannot tell apart.
    """
    by_depth = backbone._nodes_by_depth
    return [node for depth in sorted(by_depth, reverse=True) for node in by_depth[depth]]


def _maps_states_to_states(call: Any, shape: tuple[int | None, ...]) -> bool:
    """Whether a layer with sublayers is called on states and returns states, both of this shape.

    That leaves out embeddings (RoBERTa's has sublayers, but is called on token ids) and DeBERTa's table of
    relative positions (another length).
    """
    layer = call.operation
    if not isinstance(layer, keras.layers.Layer) or not any(layer._flatten_layers(include_self=False)):
        return False
    is_called_on_states = any(tensor.shape == shape for tensor in call.input_tensors)
    return is_called_on_states and call.output_tensors[0].shape == shape
