"""Fault injection: what is done to a running pipeline, and whether anything is lost (docs/reliability.md)."""
