"""The command line of ``python -m flows.meta_pretraining``.

In: the path of a configuration. Out: what is being done on standard error, the summary of the run
(``metamapping.runs.summary``) on standard output, and the exit code: 0, 2 for an input that has to be
fixed, 130 for Ctrl-C.
"""

from __future__ import annotations

import argparse
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext

from prefect import get_client

from metamapping.cli.signals import block_interrupts, exit_on_signals
from metamapping.config.loading import read_config
from metamapping.config.schema import RunConfig
from metamapping.config.sections import describe_sections
from metamapping.errors import ConfigError, StoreError
from metamapping.runs.folder import RunFolder
from metamapping.runs.label_spaces import check_run
from metamapping.runs.screen import Screen, current_screen
from metamapping.runs.summary import print_summary
from tasks.engine import check_engine


def main(run_flow: Callable[[RunConfig], str], arguments: Sequence[str] | None = None) -> int:
    """Run a flow on the configuration that the command line names.

    Args:
        run_flow: Takes the configuration and returns the folder or address of the published encoder.
        arguments: The arguments of the command; default: those of this process.

    Returns:
        The exit code.
    """
    options = _parser().parse_args(arguments)
    started = time.time()
    try:
        config = read_config(options.config)
        if options.home:
            config = config.at_home(options.home)
        check_engine(config.engine)
        for sentence in check_run(config):
            print(f"warning: {sentence}", file=sys.stderr)
        with nullcontext() if options.verbose else Screen(), _embedded_server():
            published = run_flow(config)
    except KeyboardInterrupt:
        print("interrupted: finished work is kept, and the same command resumes from there", file=sys.stderr)
        return 128 + signal.SIGINT
    except (ConfigError, StoreError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"error: {error}: fix that and start the same command again", file=sys.stderr)
        return 2
    print_summary(RunFolder.of_published(published), started=started)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m flows.meta_pretraining",
        description="Meta-mapping pre-training: prepare the sources, train rounds until the metrics "
        "converge, publish the best encoder. The same command again resumes where the last one stopped, "
        "and repeats no finished work.",
        epilog="What a configuration can set.\n\n" + describe_sections(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("config", metavar="CONFIG.yaml", help="the configuration of the run")
    parser.add_argument(
        "--verbose",
        action="store_true",
        help="show all that Prefect and TensorFlow log, not a line a stage",
    )
    parser.add_argument("--home", help="folder of the store and the runs; default: the configuration's")
    return parser


@contextmanager
def _embedded_server() -> Iterator[None]:
    """Start the embedded server, unless another one is configured; it ends after the run.

    Ctrl-C in a terminal reaches all processes of a command. If the server ended first, the run would try
    for minutes to report its own end to it; so the server is started with interrupts blocked. SIGTERM for
    the run alone would leave the server behind; so it raises ``SystemExit``, and the run cleans up.
    """
    with exit_on_signals():
        with block_interrupts(), current_screen().work("starting Prefect"):
            get_client(sync_client=True)
        yield
