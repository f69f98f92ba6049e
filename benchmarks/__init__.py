"""Benchmarks: comparisons with published tables, with other tools and with hardware limits."""
