"""Saved tasks: folders, what is in them, and their earlier formats."""
