"""Inputs: what users pass in, checked and converted to examples."""
