"""Benchmarks: against published tables, against peers, and against physical limits."""
