"""Worker: tries the inputs of one target one after the other, in a process that an input may kill.

    python -m tests.fuzz.worker csv --first 0 --inputs 1000 --seed 0 --folder /tmp/x

Each finding is a line of JSON on standard output; the last line says how many inputs were tried. With
``--atheris``, libFuzzer generates the inputs, alternately with its own mutations and with those of
``mutations.py``, and keeps those that reach new code.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import resource
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from tests.fuzz.guard import bounded_memory, try_one
from tests.fuzz.mutations import mutate
from tests.fuzz.target import Target
from tests.fuzz.targets import TARGETS


def findings(target: Target, first: int, count: int, seed: int) -> Iterator[tuple[int, str, bytes]]:
    """Try ``count`` inputs; the number, the fault and the bytes of each that is treated wrongly."""
    with bounded_memory(target.memory_megabytes):
        for number in range(first, first + count):
            rng = np.random.default_rng([seed, number])
            data, kind = target.seeds[rng.integers(len(target.seeds))]
            data = mutate(data, kind, rng)
            (target.folder / "number").write_text(str(number))
            fault = try_one(lambda data=data, rng=rng: target.run(data, rng))
            if fault is not None:
                yield number, fault, data


def main() -> None:
    """Try the inputs that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("target", choices=TARGETS)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--inputs", type=int, default=1_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--atheris", action="store_true")
    options = parser.parse_args()
    os.environ["METAMAPPING_CACHE"] = str(options.folder / "cache")
    out = os.fdopen(os.dup(1), "w", buffering=1)
    with contextlib.suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # standard output is for findings, not for the product
    if options.atheris:
        run_atheris(options, out)
        return
    target = TARGETS[options.target](options.folder)
    started = time.monotonic()
    for number, fault, data in findings(target, options.first, options.inputs, options.seed):
        print(json.dumps({"input": number, "fault": fault, "bytes": repr(data[:200])}), file=out)
    print(json.dumps(summary(options.inputs, started)), file=out)


def run_atheris(options: argparse.Namespace, out: object) -> None:
    """Try the inputs that libFuzzer generates; ends the process itself after the last one."""
    import atheris

    # libFuzzer sees the coverage of a module only if the module is imported in this block.
    with atheris.instrument_imports(include=["metamapping"]):
        import metamapping.config.loading
        import metamapping.corpus.records  # noqa: F401
    target = TARGETS[options.target](options.folder)
    corpus = options.folder / "corpus"
    corpus.mkdir(exist_ok=True)
    for i, (data, _) in enumerate(target.seeds):
        (corpus / f"seed-{i}").write_bytes(data)
    kind, tried, started = target.seeds[0][1], 0, time.monotonic()

    def run_one(data: bytes) -> None:
        nonlocal tried
        tried += 1
        rng = np.random.default_rng([len(data), *data[-4:]])
        fault = try_one(lambda: target.run(data, rng))
        if fault is not None:
            print(
                json.dumps({"input": tried, "fault": fault, "bytes": repr(data[:200])}), file=out, flush=True
            )
        if tried >= options.inputs:
            print(json.dumps(summary(tried, started)), file=out, flush=True)
            os._exit(0)

    def mutator(data: bytes, max_size: int, seed: int) -> bytes:
        if seed % 2:
            return atheris.Mutate(data, max_size)
        return mutate(data, kind, np.random.default_rng(seed))[:max_size]

    flags = [
        f"-seed={options.seed + 1}",
        "-max_len=60000",
        "-rss_limit_mb=4000",
        "-verbosity=0",
        "-print_final_stats=0",
    ]
    atheris.Setup([sys.argv[0], *flags, str(corpus)], run_one, custom_mutator=mutator)
    atheris.Fuzz()


def summary(tried: int, started: float) -> dict[str, float]:
    """What the last line says."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return {"tried": tried, "seconds": round(time.monotonic() - started, 1), "peak_megabytes": peak}


if __name__ == "__main__":
    main()
