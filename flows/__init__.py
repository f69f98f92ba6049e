"""Flows: the story of a run, one file a flow."""
