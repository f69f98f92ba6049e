"""Runtime: an encoder's forward pass without TensorFlow, from a graph in a published folder."""
