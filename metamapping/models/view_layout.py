"""View layout: which layers and tokens the views of texts and words are taken from, without TensorFlow.

Training computes the views in TensorFlow (``models.encoder``), the runtime in ONNX (``runtime.graphs``). Both
read their numbers here.
"""

from __future__ import annotations

NUM_VIEWS, NUM_WORD_VIEWS = 3, 2
# The lower layer is two thirds up the transformer: layer 4 of 6 (docs/experiments/views.md).
LOWER_LAYER_SHARE = 2 / 3
# The number of states that are the beginning of a text.
NUM_BEGINNING_STATES = 2
# The weight in the kernel of a word's lower view; that of its first view is 1 (docs/experiments/words.md).
LOWER_WORD_WEIGHT = 3.0
# On a CPU a batch is split where that saves at least this many tokens of padding: on two cores another
# pass through the backbone costs as much as 20 to 30 tokens. A GPU computes padding in parallel, and every
# pass has to launch all kernels, so there only the size of a batch is limited.
PADDING_WORTH_A_PASS = 32
# A squared length below this is raised to it before a vector is divided by its length.
LENGTH_EPSILON = 1e-12


def lower_layer(num_layers: int) -> int:
    """The number of the layer, from 0, whose states are the lower views.

    Args:
        num_layers: How many transformer blocks the encoder has, at least one.
    """
    return max(0, round(LOWER_LAYER_SHARE * num_layers) - 1)
