"""Packed states: the states of texts that share rows with others, which saves the padding between them.

Where texts differ in length, most positions of a batch padded to the longest are padding. Here the embeddings
of all tokens are moved into few full rows (``episodes.packing``), the transformer blocks compute on these
rows, with attention from each token to those of its own text only, and the states are moved back. Nothing but
the order of sums changes.

    if can_pack(backbone):
        last, lower = PackedStates(backbone)(inputs, starts, shape)      # float32 (B, L, dim)
"""

from __future__ import annotations

from collections.abc import Sequence

import keras
import tensorflow as tf

from metamapping.models.transformer_blocks import block_calls, block_inputs, block_outputs, token_states
from metamapping.models.view_layout import lower_layer

# The block of KerasHub's BERT, RoBERTa, ELECTRA, DistilBERT and ALBERT, which takes a mask of token pairs.
_BLOCK = "TransformerEncoder"


def can_pack(backbone: keras.Model) -> bool:
    """Whether a backbone is embeddings and then a chain of blocks that take any mask of pairs of tokens.

    Args:
        backbone: A functional model of token states.
    """
    inputs, outputs = block_inputs(backbone), block_outputs(backbone)
    return (
        bool(outputs)
        and all(type(block).__name__ == _BLOCK for block in block_calls(backbone))
        and all(after is before for after, before in zip(inputs[1:], outputs[:-1], strict=True))
        and outputs[-1] is token_states(backbone)
    )


class PackedStates:
    """The last and the lower layer of a backbone for texts in shared rows.

    Args:
        backbone: One for which ``can_pack`` is true.
    """

    def __init__(self, backbone: keras.Model) -> None:
        self._embeddings = keras.Model(backbone.input, block_inputs(backbone)[0])
        self._blocks = block_calls(backbone)
        self._lower = lower_layer(len(self._blocks))

    def __call__(
        self, inputs: dict[str, tf.Tensor], starts: tf.Tensor, shape: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Compute the states.

        Args:
            inputs: The backbone's inputs, int32 ``(B, L)`` each, with the tokens of a text first.
            starts: Position of each text's first token among those of all rows, int32 ``(B,)``.
            shape: Number and length of the rows, int32 ``(2,)``.

        Returns:
            The states of the last and of the lower layer, ``(B, L, dim)`` each; not zero at padding.
        """
        mask = tf.cast(inputs["padding_mask"], tf.bool)
        places = starts[:, None] + tf.range(tf.shape(mask)[1])
        target = tf.boolean_mask(places, mask)[:, None]
        source = tf.cast(tf.where(tf.reshape(mask, [-1]))[:, 0], tf.int32)
        text = tf.cast(tf.where(mask)[:, 0], tf.int32)
        size = tf.reduce_prod(shape)[None]
        text_of = tf.reshape(tf.scatter_nd(target, text + 1, size), shape)
        embedded = self._embeddings(inputs, training=False)
        rows = moved(embedded, tf.reshape(tf.scatter_nd(target, source, size), shape))
        last, lower = states_of_rows(self._blocks, rows, text_of, lower=self._lower)
        back = tf.where(mask, places, 0)
        return moved(last, back), moved(lower, back)


def states_of_rows(
    blocks: Sequence[keras.layers.Layer], states: tf.Tensor, text_of: tf.Tensor, *, lower: int
) -> tuple[tf.Tensor, tf.Tensor]:
    """Compute blocks on rows that several texts share.

    Args:
        blocks: Transformer blocks that take a mask of token pairs, in the order in which they are called.
        states: The states below them, float ``(num_rows, row_length, dim)``.
        text_of: Int32 ``(num_rows, row_length)``, which text a position is of. Positions that are left over
            have a number of their own: they see each other, and no token sees them.
        lower: The block whose states are returned besides those of the last one, -1 for those below.

    Returns:
        The states of the last and of the lower block, in the same rows.
    """
    attention = text_of[:, :, None] == text_of[:, None, :]
    below = states
    for number, block in enumerate(blocks):
        # Without dropout: episodes are small and random already, and a resumed run stays exact.
        states = block(states, attention_mask=attention, training=False)
        if number == lower:
            below = states
    return states, below


def moved(states: tf.Tensor, places: tf.Tensor) -> tf.Tensor:
    """Collect the states at some places.

    Args:
        states: ``(num_rows, row_length, dim)``.
        places: Positions counted through all rows, int32 of any shape.

    Returns:
        Of the shape of ``places`` and then ``dim``.
    """
    return tf.gather(tf.reshape(states, (-1, states.shape[-1])), places)
