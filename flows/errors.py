"""The errors of flows; apart from them, because ``flows/__init__.py`` must not import Prefect.

raise StageError("train round 2: Crashed. …")
"""


class StageError(RuntimeError):
    """A stage has failed; the message names it and says what to do."""
