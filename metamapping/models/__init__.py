"""Models: the encoder, and the mapping on top of it."""
