"""Faults: what is done to a running pipeline, and whether anything is lost. See ``docs/reliability.md``."""
