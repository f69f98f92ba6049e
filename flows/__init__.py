"""Flows: the story of a run, one file a flow.

Nothing is reported to anyone. Kept off the terminal are TensorFlow's words on missing GPUs and the
embedded server's farewell to its own unfinished bookkeeping, pages of cancelled database calls. What
the environment says wins.
"""

import os

os.environ.setdefault("DO_NOT_TRACK", "1")
os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
os.environ.setdefault("PREFECT_SERVER_LOGGING_LEVEL", "CRITICAL")
os.environ.setdefault("PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS", "120")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from flows.log_filter import drop_tracebacks

drop_tracebacks()
