"""Algebra: regressions of one task, what they leave out, and calibration, as functions of arrays alone."""
