"""What a unit of work costs as there is more of it: rows, sources, labels, workers.

    METAMAPPING_DATA=… python -m benchmarks.growth rows --sizes 10000 100000 1000000
    python -m benchmarks.growth sources --sizes 10 100 1000
    python -m benchmarks.growth labels --sizes 10 100 1000 10000
    METAMAPPING_DATA=… python -m benchmarks.growth workers --sizes 1 2 4

Each size runs in a process of its own. Seconds are those of the processor, all threads together, so that
other work on the machine counts little; memory is the highest anonymous memory of the process and its
children. Prints a table, and draws it with ``--picture``.

rows      generated rows of one source read, cleaned, deduplicated and tokenized (`benchmarks.corpus`)
sources   generated sources of 40 rows each: prepared, found prepared, and the start of a run with them
labels    `MetaMapper.adapt` with two examples a label, 384 features, an encoder of one layer
workers   as many processes at once as `rows`, each with a source of 100,000 rows of its own
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.corpus import RUN, watch_memory, write_rows
from metamapping.storage.manifest import check_files, write_manifest

ROWS_A_WORKER, ROWS_A_SOURCE = 100_000, 40
Costs = dict[str, float]  # seconds by what took them


def main() -> None:
    """Measure each size, print the table, draw the picture."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=sorted(MEASURED))
    parser.add_argument("--sizes", type=int, nargs="+", required=True)
    parser.add_argument("--picture", type=Path)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.folder is not None:  # the process of one size
        print(json.dumps(MEASURED[options.what](options.sizes[0], options.folder)))
        return
    table = []
    for size in options.sizes:
        costs, peak = _measure(options.what, size)
        table.append((size, costs, peak))
        print(f"{size:,}: {costs}, {peak:,.0f} MB", file=sys.stderr, flush=True)
    _print(options.what, table)
    if options.picture is not None:
        _draw(options.what, table, options.picture)


def _measure(what: str, size: int) -> tuple[Costs, float]:
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile("w+") as errors:
        if what in ("rows", "workers"):
            for number in range(size if what == "workers" else 1):
                place = Path(folder) / str(number)
                place.mkdir()
                write_rows(place, ROWS_A_WORKER if what == "workers" else size)
        command = [sys.executable, "-m", "benchmarks.growth", what, "--sizes", str(size), "--folder", folder]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True)
        peak = [0.0]
        threading.Thread(target=watch_memory, args=(process, peak), daemon=True).start()
        out, _ = process.communicate()
        if process.returncode:
            errors.seek(0)
            raise SystemExit(f"{what} {size} failed: {errors.read()[-2000:]}")
    return json.loads(out.strip().splitlines()[-1]), peak[0]


def _rows(size: int, folder: Path) -> Costs:
    costs: Costs = {}
    clock = _Clock(costs)
    RUN["metamapping"](folder / "0", _tokenizer())
    clock.lap("prepare")
    stages = list((folder / "0" / "metamapping").iterdir())
    for stage in stages:
        write_manifest(stage, {})
    clock.lap("write checksums")
    for stage in stages:
        check_files(stage, [])
    clock.lap("hold files against them")
    return costs


def _workers(size: int, folder: Path) -> Costs:
    command = [sys.executable, "-m", "benchmarks.corpus", "--contender", "metamapping"]
    command += ["--tokenizer", _tokenizer()]
    started = [
        subprocess.Popen([*command, "--folder", str(folder / str(i))], stdout=subprocess.PIPE, text=True)
        for i in range(size)
    ]
    for each in started:
        if each.wait():
            raise SystemExit("a worker failed")
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {"prepare": round(used.ru_utime + used.ru_stime, 3)}


def _sources(size: int, folder: Path) -> Costs:
    from benchmarks import without_prefect

    without_prefect.install()
    from flows.prepare_corpus import prepare_corpus
    from metamapping.config.loading import parse_config
    from metamapping.corpus.prepared import Corpus
    from metamapping.runs.label_spaces import check_run
    from metamapping.runs.round_training import train_stage
    from metamapping.runs.stages import initialise_stage, open_run

    values = _configuration(size, folder)
    costs: Costs = {}
    clock = _Clock(costs)
    config = parse_config(values)
    clock.lap("read the configuration")
    check_run(config)
    clock.lap("check the sources")
    prepare_corpus(config)
    clock.lap("data work")
    corpus = Corpus.model_validate(prepare_corpus(config))
    clock.lap("find all of it done")
    run = open_run(config, corpus)
    clock.lap("open the run")
    initialise_stage(run)
    clock.lap("build the encoder")

    class FirstStepError(Exception):
        pass

    def stop(step: int, loss: float) -> None:
        raise FirstStepError

    try:
        train_stage(run, 1, on_step=stop)
    except FirstStepError:
        clock.lap("first meta-step")
    return costs


def _configuration(size: int, folder: Path) -> dict[str, object]:
    """So many train sources of two labels, and one source of each other role."""
    rng = random.Random(0)
    words = [f"{a}{b}{c}" for a in "bdfgklmnprst" for b in "aeiou" for c in "bdfgklmnprst"]
    roles = ["train"] * size + ["validation", "test"]
    sources = []
    for number, role in enumerate(roles):
        path = folder / f"source-{number}.jsonl"
        rows = [
            {"text": f"{' '.join(rng.choices(words, k=8))} {number}", "label": "ab"[i % 2]}
            for i in range(ROWS_A_SOURCE)
        ]
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        sources.append(
            {
                "name": f"source-{number}",
                "task_type": "text-classification",
                "role": role,
                "files": [str(path)],
            }
        )
    scratch = {"num_layers": 1, "num_heads": 2, "hidden_dim": 32, "intermediate_dim": 32}
    return {
        "name": "growth",
        "home": str(folder / "home"),
        "sources": sources,
        "encoder": {"scratch": scratch, "max_length_tokens": 16},
        "episodes": {"num_texts": 16, "num_splits": 2},
    }


def _labels(size: int, folder: Path) -> Costs:
    from metamapping import MetaMapper
    from metamapping.config.corpus import CleaningSpec
    from metamapping.config.encoder import EncoderSpec, ScratchEncoder
    from metamapping.config.training import TrainingSpec
    from metamapping.corpus.tokenizer import write_tokenizer
    from metamapping.publishing.published_model import PublishedModel
    from metamapping.training.learner import build_learner

    scratch = ScratchEncoder(num_layers=1, num_heads=2, hidden_dim=384, intermediate_dim=384)
    spec = EncoderSpec(scratch=scratch, max_length_tokens=16)
    rng = random.Random(0)
    letters = "abcdefghijklmnopqrstuvwxyz"
    names = ["".join(rng.choices(letters, k=6)) + f" {i}" for i in range(size)]
    counts = write_tokenizer(spec, names[:1000], folder / "tokenizer")
    learner = build_learner(spec, TrainingSpec(), vocabulary_size=counts["vocabulary_size"], seed=0)
    mapper = MetaMapper(
        PublishedModel(learner.encoder, learner.mapping, folder / "tokenizer", 16, CleaningSpec())
    )
    mapper.adapt(["a b", "c d"], ["one", "two"])  # what is compiled once
    texts, labels = [f"{name} {i}" for name in names for i in range(2)], [n for n in names for _ in range(2)]
    costs: Costs = {}
    clock = _Clock(costs)
    mapper.featurizer.texts(texts)
    mapper.featurizer.names(names)
    clock.lap("the encoder's own passes")
    mapping = mapper.adapt(texts, labels)
    clock.lap("adapt")
    mapping.predict(texts[:1])
    clock.lap("predict one text")
    mapping.add(texts[:1], labels[:1])
    clock.lap("add one example")
    return costs


class _Clock:
    """The processor's seconds since the last lap, by name."""

    def __init__(self, costs: Costs) -> None:
        self._costs = costs
        self._last = time.process_time()

    def lap(self, name: str) -> None:
        now = time.process_time()
        self._costs[name] = round(now - self._last, 3)
        self._last = time.process_time()


def _tokenizer() -> str:
    from benchmarks.real_run import packaged_encoder

    return packaged_encoder()


MEASURED: dict[str, Callable[[int, Path], Costs]] = {
    "rows": _rows,
    "sources": _sources,
    "labels": _labels,
    "workers": _workers,
}


def _print(what: str, table: list[tuple[int, Costs, float]]) -> None:
    columns = list(table[0][1])
    print(f"| {what} | {' | '.join(f'{name}, s' for name in columns)} | peak memory, MB |")
    print("| --- " * (len(columns) + 2) + "|")
    for size, costs, peak in table:
        print(f"| {size:,} | {' | '.join(f'{costs[name]:.2f}' for name in columns)} | {peak:,.0f} |")


def _draw(what: str, table: list[tuple[int, Costs, float]], path: Path) -> None:
    """Milliseconds a unit, and memory, over the size."""
    from matplotlib.figure import Figure

    sizes = [size for size, _, _ in table]
    figure = Figure(figsize=(8, 2.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    units = ROWS_A_WORKER if what == "workers" else 1
    for name in table[0][1]:
        each = [1000 * costs[name] / (size * units) for size, costs, _ in table]
        left.plot(sizes, each, marker="o", label=name)
    left.set(xscale="log", yscale="log", xlabel=what, ylabel=f"ms a {'row' if units > 1 else what[:-1]}")
    peaks = [peak for _, _, peak in table]
    right.plot(sizes, peaks, marker="o")
    right.set(xscale="log", xlabel=what, ylabel="peak memory, MB", ylim=(0, 1.1 * max(peaks)))
    figure.legend(*left.get_legend_handles_labels(), loc="outside right center", fontsize=7, frameon=False)
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    main()
