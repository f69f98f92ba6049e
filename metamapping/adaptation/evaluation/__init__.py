"""Evaluation: few-shot episodes of held-out sources, scored as a user of a task would see them."""
