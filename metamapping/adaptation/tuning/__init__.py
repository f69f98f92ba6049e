"""Tuning: whether changing the layers of the encoder helps a task, and the change."""
