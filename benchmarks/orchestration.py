"""What Prefect costs: the same run with and without it, as a ratio.

    python -m benchmarks.orchestration [CONFIG.yaml]

In: a configuration (nothing given: tests/e2e/tiny.yaml). Out: the seconds of the flow with its embedded
Prefect and of the same functions without it, each the better of two runs into a new home, and the difference
as a share of a run of half an hour: it hangs on the number of tasks, not on how long they work.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time

HALF_AN_HOUR = 1_800.0
TINY = "tests/e2e/tiny.yaml"


def main(config: str) -> None:
    """Run four times and print the table."""
    pairs = [
        (seconds("benchmarks.orchestration", config, "--without"), seconds("flows.meta_pretraining", config))
        for _ in range(2)
    ]
    without, with_prefect = (min(each) for each in zip(*pairs, strict=True))
    added = with_prefect - without
    print(f"without Prefect  {without:7.1f} s")
    print(f"with Prefect     {with_prefect:7.1f} s   {with_prefect / without:.2f} times as long")
    print(f"added            {added:7.1f} s   {added / HALF_AN_HOUR:.1%} of half an hour")


def seconds(module: str, config: str, *options: str) -> float:
    """Wall-clock time of one run in a process of its own, imports included."""
    with tempfile.TemporaryDirectory() as home:
        command = [sys.executable, "-m", module, config, "--home", home, *options]
        start = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        return time.perf_counter() - start


def run_without_prefect(config_path: str, home: str) -> None:
    """The main flow as a plain function."""
    from benchmarks.without_prefect import install

    install()
    from flows.meta_pretraining import meta_pretraining
    from metamapping.config_file import read_config

    meta_pretraining(read_config(config_path).at_home(home))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks.orchestration", description=__doc__)
    parser.add_argument("config", nargs="?", default=TINY, metavar="CONFIG.yaml")
    parser.add_argument("--home", help=argparse.SUPPRESS)
    parser.add_argument("--without", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.without:
        run_without_prefect(options.config, options.home)
    else:
        main(options.config)
