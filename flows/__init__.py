"""Flows: what happens in a run, one file per flow.

Importing this package sets defaults for environment variables that are not set yet. Prefect reads some of
them when it is imported, so nothing that is imported here may import it. They turn off telemetry, show what
the library logs (such as that it waits for another process), hide TensorFlow's messages about missing GPUs,
and hide the log of the embedded server, which at its end prints pages about its own cancelled database
calls. In a command (``python -m flows.…``) they also hide what Prefect logs below
warnings, unless ``--verbose`` asks for it; and since importing Prefect takes seconds, the command says at
once that it has started.
"""

import os
import sys

from flows.log_filter import install_filters

os.environ.setdefault("DO_NOT_TRACK", "1")
os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
os.environ.setdefault("PREFECT_LOGGING_EXTRA_LOGGERS", "metamapping")
os.environ.setdefault("PREFECT_SERVER_LOGGING_LEVEL", "CRITICAL")
os.environ.setdefault("PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS", "120")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TRANSFORMERS_NO_ADVISORY_WARNINGS", "1")

IS_COMMAND = sys.argv[:1] == ["-m"]  # Python's placeholder while it looks for the module to run
if IS_COMMAND and not {"--verbose", "-h", "--help"} & set(sys.argv):
    os.environ.setdefault("PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL", "WARNING")
    print("starting …", file=sys.stderr, flush=True)

install_filters()
