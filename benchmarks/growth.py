"""The cost of a unit of work as its amount grows: rows, sources, labels, workers.

    METAMAPPING_DATA=path/to/data python -m benchmarks.growth rows --sizes 10000 100000 1000000
    python -m benchmarks.growth sources --sizes 10 100 1000
    python -m benchmarks.growth labels --sizes 10 100 1000 10000
    METAMAPPING_DATA=path/to/data python -m benchmarks.growth workers --sizes 1 2 4
    python -m benchmarks.growth training --sizes 100000 1000000 10000000

In: what grows, and its sizes; each size runs in a process of its own. Out: a Markdown table of CPU seconds,
of all threads together, so that other work on the machine matters little, and of the peak of anonymous memory
of the process and its children; with ``--picture``, also a plot of both.

rows      reading, cleaning, deduplicating and tokenizing generated rows of one source (`benchmarks.corpus`)
sources   generated sources of 40 rows each: their data work, recognising it as done, and a run's first step
labels    `MetaMapper.adapt` with two examples of each label, 384 features and an encoder of one layer
workers   processes at once, each of which prepares 100,000 rows of its own as `rows` does
training  a run on two sources of that many generated rows: label spaces, meta-steps and an evaluation
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

from benchmarks import growth_training
from benchmarks.corpus import RUN, write_rows
from benchmarks.memory import watch_memory
from metamapping.storage.manifest import check_files, write_manifest

ROWS_PER_WORKER, ROWS_PER_SOURCE = 100_000, 40
Costs = dict[str, float]  # CPU seconds, by name of the part


def main() -> None:
    """Print one table of "Cost as work grows" in benchmarks/README.md, and draw its plot.

    It compares sizes of the same work with each other. On two cores, ten million rows take about seven
    minutes of CPU time (to train on them two), 1,000 sources a minute and a half, 10,000 labels half a
    minute, and four workers as long.
    """
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=sorted(MEASUREMENTS))
    parser.add_argument("--sizes", type=int, nargs="+", required=True)
    parser.add_argument("--picture", type=Path, help="file for the plot, as PNG")
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.folder is not None:  # this is the process for one size
        print(json.dumps(MEASUREMENTS[options.what](options.sizes[0], options.folder)))
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
                write_rows(place, ROWS_PER_WORKER if what == "workers" else size)
        if what == "training":
            growth_training.write_tokens(Path(folder), size)
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
    clock.lap("verify files against them")
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
    clock.lap("check")
    prepare_corpus(config)
    clock.lap("data work")
    corpus = Corpus.model_validate(prepare_corpus(config))
    clock.lap("recognise it as done")
    run = open_run(config, corpus)
    clock.lap("open the run")
    initialise_stage(run)
    clock.lap("build the encoder")

    class FirstStepError(Exception):
        pass

    def stop_after_first_step(step: int, loss: float) -> None:
        raise FirstStepError

    try:
        train_stage(run, 1, on_step=stop_after_first_step)
    except FirstStepError:
        clock.lap("first meta-step")
    return costs


def _configuration(size: int, folder: Path) -> dict[str, object]:
    """A configuration with ``size`` train sources of two labels, and one source of each other role."""
    rng = random.Random(0)
    words = [f"{a}{b}{c}" for a in "bdfgklmnprst" for b in "aeiou" for c in "bdfgklmnprst"]
    roles = ["train"] * size + ["validation", "test"]
    sources = []
    for number, role in enumerate(roles):
        path = folder / f"source-{number}.jsonl"
        rows = [
            {"text": f"{' '.join(rng.choices(words, k=8))} {number}", "label": "ab"[i % 2]}
            for i in range(ROWS_PER_SOURCE)
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
    mapper.adapt(["a b", "c d"], ["one", "two"])  # compiles, so that compilation is not measured
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
    clock.lap("add one")
    return costs


def _training(size: int, folder: Path) -> Costs:
    costs: Costs = {}
    growth_training.measure(folder, _Clock(costs).lap)
    return costs


class _Clock:
    """Stores the CPU seconds between two laps in ``costs``, under the name of the second one."""

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


MEASUREMENTS: dict[str, Callable[[int, Path], Costs]] = {
    "rows": _rows,
    "sources": _sources,
    "labels": _labels,
    "workers": _workers,
    "training": _training,
}


def _print(what: str, table: list[tuple[int, Costs, float]]) -> None:
    columns = list(table[0][1])
    print(f"| {what} | {' | '.join(f'{name}, s' for name in columns)} | peak memory, MB |")
    print("| --- " * (len(columns) + 2) + "|")
    for size, costs, peak in table:
        print(f"| {size:,} | {' | '.join(f'{costs[name]:.2f}' for name in columns)} | {peak:,.0f} |")


def _draw(what: str, table: list[tuple[int, Costs, float]], path: Path) -> None:
    """Plot milliseconds per unit of work and memory against the size."""
    from matplotlib.figure import Figure

    sizes = [size for size, _, _ in table]
    figure = Figure(figsize=(8, 2.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    units = ROWS_PER_WORKER if what == "workers" else 1
    for name in table[0][1]:
        each = [1000 * costs[name] / (size * units) for size, costs, _ in table]
        left.plot(sizes, each, marker="o", label=name)
    left.set(xscale="log", yscale="log", xlabel=what, ylabel=f"ms per {'row' if units > 1 else what[:-1]}")
    peaks = [peak for _, _, peak in table]
    right.plot(sizes, peaks, marker="o")
    right.set(xscale="log", xlabel=what, ylabel="peak memory, MB", ylim=(0, 1.1 * max(peaks)))
    figure.legend(*left.get_legend_handles_labels(), loc="outside right center", fontsize=7, frameon=False)
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    main()
