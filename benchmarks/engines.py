"""The overhead of an engine, compared with the work that its tasks do.

    python -m benchmarks.engines [--runners threads processes dask ray] [--tasks 40] [--rows 20000]

In: nothing; the rows are generated. Out: how the work on a row is divided into reading, cleaning and
tokenizing; then a Markdown table with a row for each engine: the seconds until every worker has finished its
first task, the overhead of each further task (an empty one, declared like the real ones), and how many rows,
and MB of files, a source group needs so that the overhead of its four tasks is below 2 % of its work.
``metamapping.corpus.source_groups`` takes its sizes from here.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import tempfile
import time
from pathlib import Path

from prefect import flow, task
from prefect.cache_policies import NO_CACHE
from prefect.testing.utilities import prefect_test_harness

from metamapping.config.corpus import CleaningSpec, DuplicateSpec, FilterSpec
from metamapping.config.encoder import EncoderSpec
from metamapping.config.engine import EngineSpec
from metamapping.config.sources import Source
from metamapping.corpus.examples import Rules, write_examples
from metamapping.corpus.records import write_records
from metamapping.corpus.tokenization import load_tokenizer
from metamapping.corpus.tokenizer import write_tokenizer
from metamapping.corpus.tokens import write_tokens
from tasks.engine import run_on_engine

RUNNERS = ("threads", "processes", "dask", "ray")
TASKS_PER_GROUP = 4  # read, clean, tokenize, screen
MAX_OVERHEAD = 0.02


@task(cache_policy=NO_CACHE, persist_result=False)
def wait(seconds: float) -> int:
    """A task that does nothing but wait."""
    time.sleep(seconds)
    return os.getpid()


@flow
def measure(runner: str, num_workers: int, num_tasks: int) -> tuple[float, float]:
    """Seconds to start the engine, and seconds per task while all workers are busy."""
    begin = time.perf_counter()

    def work() -> tuple[float, float]:
        # A second each, so that no worker takes two of these tasks.
        first_tasks = [wait.submit(1.0) for _ in range(num_workers)]
        for each in first_tasks:
            each.result()
        started = time.perf_counter()
        for each in [wait.submit(0.0) for _ in range(num_tasks)]:
            each.result()
        return started - begin, (time.perf_counter() - started) / num_tasks

    return run_on_engine(EngineSpec(runner=runner, num_workers=num_workers), work)


def seconds_of_work(num_rows: int) -> tuple[dict[str, float], int]:
    """Seconds of each task for one generated source on one worker, and the size of its file in bytes."""
    with tempfile.TemporaryDirectory() as name:
        folder, rng = Path(name), random.Random(0)
        words = [f"word{number}" for number in range(3_000)]
        with (folder / "rows.jsonl").open("w", encoding="utf-8") as file:
            for _ in range(num_rows):
                row = {"text": " ".join(rng.choices(words, k=15)), "label": f"label {rng.randrange(20)}"}
                file.write(json.dumps(row) + "\n")
        source = Source(
            name="rows", task_type="text-classification", role="train", files=[f"{name}/rows.jsonl"]
        )
        for stage in ("records", "examples", "tokens", "tokenizer"):
            (folder / stage).mkdir()
        encoder = EncoderSpec.model_validate({"scratch": {}})
        write_tokenizer(encoder, [" ".join(words)] * 3, folder / "tokenizer")
        times = [time.perf_counter()]
        write_records(source, folder / "records")
        times.append(time.perf_counter())
        rules = Rules(CleaningSpec(), FilterSpec(), DuplicateSpec())
        write_examples(source, rules, folder / "records", folder / "examples")
        times.append(time.perf_counter())
        tokenizer = load_tokenizer(folder / "tokenizer", max_length_tokens=64)
        write_tokens(folder / "examples", tokenizer, folder / "tokens")
        times.append(time.perf_counter())
        size = (folder / "rows.jsonl").stat().st_size
    steps = zip(("read", "clean", "tokenize"), times, times[1:], strict=False)
    return {name: end - start for name, start, end in steps}, size


def main() -> None:
    """Print the table of "The overhead of an engine" in benchmarks/README.md.

    It compares the four engines. The defaults take about a minute on two cores, in addition to the start of
    Prefect's test server.
    """
    parser = argparse.ArgumentParser(prog="python -m benchmarks.engines", description=__doc__.split("\n")[0])
    parser.add_argument("--runners", nargs="*", default=list(RUNNERS), choices=RUNNERS)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--tasks", type=int, default=40)
    parser.add_argument("--rows", type=int, default=20_000)
    options = parser.parse_args()
    work, size = seconds_of_work(options.rows)
    total = sum(work.values())
    shares = ", ".join(f"{name} {seconds / total:.0%}" for name, seconds in work.items())
    print(f"{options.rows / total:,.0f} rows per second on one worker: {shares}\n", flush=True)
    print("| engine | start | per task | rows in a source group for an overhead below 2 % | MB |")
    print("|---|---|---|---|---|")
    with prefect_test_harness(server_startup_timeout=300):
        for runner in options.runners:
            start, seconds = measure(runner, options.workers, options.tasks)
            rows = TASKS_PER_GROUP * seconds / MAX_OVERHEAD * options.rows / total
            megabytes = rows * size / options.rows / 1e6
            cells = f"{1000 * seconds:.0f} ms | {rows:,.0f} | {megabytes:.0f}"
            print(f"| {runner} | {start:.1f} s | {cells} |", flush=True)


if __name__ == "__main__":
    main()
