"""Speed and memory of corpus preparation, compared with two other tools and with the tokenizer alone.

    METAMAPPING_DATA=path/to/data python -m benchmarks.corpus --rows 200000 --tokenizer FOLDER
    METAMAPPING_DATA=path/to/data python -m benchmarks.corpus --memory --rows 1000000 --tokenizer FOLDER

In: a tokenizer, and real sentences from which rows are generated. Each contender runs in a process of its own
on all cores, and reads one JSONL file and writes Parquet; its clock starts after the imports. All contenders
clean with the same functions, drop equal texts and use the same tokenizer. Memory is the peak of the sum of
anonymous memory of the process and its children. `datatrove` needs `pip install datatrove orjson`. Out:
seconds, rows per second and memory, as Markdown.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from benchmarks.memory import watch_memory

MAX_LENGTH_TOKENS = 64
CONTENDERS = ("encode_batch", "metamapping", "metamapping-near", "datasets", "datatrove")


def main() -> None:
    """Print the table of "Preparing a corpus: speed and memory" in benchmarks/README.md.

    It compares metamapping with `datasets.map`, with `datatrove`, and with the speed of
    `tokenizers.encode_batch` alone. On two cores, 200,000 rows take the five contenders about 100 seconds
    together, once for each of ``--repeats``. With ``--memory``, it prints the figures of the section's table
    "Memory" instead.
    """
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--tokenizer", required=True, help="folder with tokenizer.json")
    parser.add_argument("--contenders", nargs="*", default=list(CONTENDERS))
    parser.add_argument("--repeats", type=int, default=1, help="number of runs; the fastest one is shown")
    parser.add_argument(
        "--memory", action="store_true", help="metamapping alone, with a tenth of the rows, then all"
    )
    parser.add_argument("--contender", help=argparse.SUPPRESS)
    parser.add_argument("--folder", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.contender:
        seconds = RUN[arguments.contender](Path(arguments.folder), arguments.tokenizer)
        print(json.dumps(seconds))
        return
    with tempfile.TemporaryDirectory() as folder:
        if arguments.memory:
            for rows in (arguments.rows // 10, arguments.rows):
                write_rows(Path(folder), rows)
                for contender in ("metamapping", "metamapping-near"):
                    seconds, peak = _measure(contender, folder, arguments.tokenizer)
                    print(f"| {contender} | {rows:,} rows | {seconds:.1f} s | {peak:,.0f} MB |", flush=True)
            return
        write_rows(Path(folder), arguments.rows)
        results = {}
        for _ in range(arguments.repeats):
            for contender in arguments.contenders:
                seconds, peak = _measure(contender, folder, arguments.tokenizer)
                before = results.get(contender, (float("inf"), 0.0))
                results[contender] = (min(seconds, before[0]), max(peak, before[1]))
    _print(results, arguments.rows)


def _print(results: dict[str, tuple[float, float]], rows: int) -> None:
    print(f"\n{rows:,} rows, {os.cpu_count()} cores\n")
    print("| tool | seconds | rows a second | share of `encode_batch` | peak memory |")
    print("|---|---|---|---|---|")
    limit_seconds = results.get("encode_batch", (float("nan"), 0))[0]
    for name, (seconds, peak) in results.items():
        share = f"{limit_seconds / seconds:.0%}"
        print(f"| {name} | {seconds:.1f} | {rows / seconds:,.0f} | {share} | {peak:,.0f} MB |")
    others = [results[name][0] for name in ("datasets", "datatrove") if name in results]
    if others and "metamapping" in results:
        ratio = min(others) / results["metamapping"][0]
        print(f"\n{ratio:.1f} times as fast as the faster of the two other tools")


def _measure(contender: str, folder: str, tokenizer: str) -> tuple[float, float]:
    """Run a contender in its own process; its seconds and its peak memory in MB."""
    command = [sys.executable, "-m", "benchmarks.corpus", "--tokenizer", tokenizer]
    command += ["--contender", contender, "--folder", folder]
    with tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True)
        peak = [0.0]
        watch = threading.Thread(target=watch_memory, args=(process, peak), daemon=True)
        watch.start()
        out, _ = process.communicate()
        if process.returncode:
            errors.seek(0)
            raise SystemExit(f"{contender} failed: {errors.read()[-2000:]}")
    # The last line is the number of seconds; a line before it, if there is one, says how they are divided.
    print(*out.strip().splitlines()[:-1][-1:], file=sys.stderr)
    seconds = float(out.strip().splitlines()[-1])
    print(f"{contender}: {seconds:.1f} s", file=sys.stderr, flush=True)
    return seconds, peak[0]


def write_rows(folder: Path, num_rows: int) -> None:
    """Write labelled rows of one to three sentences: one in twenty repeats another, one in ten is dirty."""
    rng = random.Random(0)
    sentences = _sentences()
    dirt = ("<br />", "&amp;", "  ", " caf\u00c3\u00a9 ", "\u00a0", " \u2014 ", "\u200b")
    rows: list[str] = []
    with (folder / "rows.jsonl").open("w", encoding="utf-8") as file:
        for _ in range(num_rows):
            if rows and rng.random() < 0.05:
                line = rng.choice(rows)
            else:
                text = " ".join(rng.choices(sentences, k=rng.randint(1, 3)))
                text += f" {rng.randrange(10**6)}" if rng.random() < 0.5 else ""
                if rng.random() < 0.1:
                    words = text.split()
                    words.insert(rng.randrange(len(words)), rng.choice(dirt))
                    text = " ".join(words)
                line = json.dumps({"text": text, "label": f"label {hash_of(text) % 50}"}, ensure_ascii=False)
                if len(rows) < 100_000:
                    rows.append(line)
            file.write(line + "\n")


def hash_of(text: str) -> int:
    """A number that depends on the text alone; Python's own ``hash`` differs between processes."""
    return sum(map(ord, text))


def _sentences() -> list[str]:
    root = os.environ.get("METAMAPPING_DATA")
    if root is None:
        raise SystemExit("METAMAPPING_DATA is not set: set it to the folder that holds the real sources")
    sentences = []
    for name in ("banking77", "clinc150", "snips"):
        with (Path(root) / "text-classification" / f"{name}.jsonl").open(encoding="utf-8") as file:
            sentences += [json.loads(line)["text"] for line in file]
    for path in sorted((Path(root) / "sentiment-analysis" / "arsc").glob("*.t2.*")):
        with path.open(encoding="utf-8") as file:
            sentences += [part for line in file for part in line.split("\t")[0].split(" . ") if part]
    return sentences


def _encode_batch(folder: Path, tokenizer_folder: str) -> float:
    from metamapping.corpus.tokenization import load_tokenizer

    with (folder / "rows.jsonl").open(encoding="utf-8") as file:
        texts = [json.loads(line)["text"] for line in file]
    tokenizer = load_tokenizer(tokenizer_folder, max_length_tokens=MAX_LENGTH_TOKENS)
    start = time.perf_counter()
    for i in range(0, len(texts), 10_000):
        tokenizer.encode_batch(texts[i : i + 10_000])
    return time.perf_counter() - start


def _metamapping(folder: Path, tokenizer_folder: str, *, near: bool = False) -> float:
    from metamapping.config.corpus import CleaningSpec, DuplicateSpec, FilterSpec
    from metamapping.config.sources import Source
    from metamapping.corpus.examples import Rules, write_examples
    from metamapping.corpus.records import write_records
    from metamapping.corpus.tokenization import load_tokenizer
    from metamapping.corpus.tokens import write_tokens

    source = Source(
        name="rows", task_type="text-classification", role="train", files=[str(folder / "rows.jsonl")]
    )
    rules = Rules(CleaningSpec(), FilterSpec(), DuplicateSpec(near=near))
    out = emptied(folder / "metamapping")
    start = time.perf_counter()
    for stage in ("records", "examples", "tokens"):
        (out / stage).mkdir()
    write_records(source, out / "records")
    read = time.perf_counter()
    write_examples(source, rules, out / "records", out / "examples")
    cleaned = time.perf_counter()
    tokenizer = load_tokenizer(tokenizer_folder, max_length_tokens=MAX_LENGTH_TOKENS)
    write_tokens(out / "examples", tokenizer, out / "tokens")
    end = time.perf_counter()
    print(f"read {read - start:.1f} s, clean {cleaned - read:.1f} s, tokenize {end - cleaned:.1f} s")
    return end - start


def _metamapping_near(folder: Path, tokenizer_folder: str) -> float:
    return _metamapping(folder, tokenizer_folder, near=True)


def clean(text: str) -> str:
    """Clean one text with the same functions as metamapping, as the users of other tools would do it."""
    from metamapping.config.corpus import CleaningSpec
    from metamapping.corpus.cleaning import CLEANERS

    for name in CleaningSpec().cleaners:
        text = CLEANERS[name].clean(text)
    return text


def _datasets(folder: Path, tokenizer_folder: str) -> float:
    import datasets
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tokenizer_folder)
    cache = emptied(folder / "datasets")
    cores = os.cpu_count() or 1
    start = time.perf_counter()
    rows = datasets.load_dataset(
        "json", data_files=str(folder / "rows.jsonl"), split="train", cache_dir=str(cache)
    )

    def cleaned(batch: dict[str, list[str]]) -> dict[str, list[str]]:
        return {"text": [clean(text) for text in batch["text"]]}

    rows = rows.map(cleaned, batched=True, num_proc=cores)
    seen: set[str] = set()
    keep = []
    for i, text in enumerate(text for batch in rows.iter(10_000) for text in batch["text"]):
        if text and text.lower() not in seen:
            seen.add(text.lower())
            keep.append(i)
    rows = rows.select(keep)
    rows = rows.map(
        lambda batch: tokenizer(batch["text"], truncation=True, max_length=MAX_LENGTH_TOKENS),
        batched=True,
        num_proc=cores,
    )
    rows.to_parquet(str(cache / "tokens.parquet"))
    return time.perf_counter() - start


def _datatrove(folder: Path, tokenizer_folder: str) -> float:
    from datatrove.executor import LocalPipelineExecutor
    from datatrove.pipeline.dedup import ExactDedupFilter, ExactDedupSignature, ExactFindDedups
    from datatrove.pipeline.dedup.exact_dedup import ExactDedupConfig
    from datatrove.pipeline.formatters.base import BaseFormatter
    from datatrove.pipeline.readers import JsonlReader
    from datatrove.pipeline.tokens import DocumentTokenizer
    from datatrove.pipeline.writers import JsonlWriter

    class Clean(BaseFormatter):
        name = "clean"

        def format(self, text: str) -> str:
            return clean(text)

    out = emptied(folder / "datatrove")
    cores = os.cpu_count() or 1
    (out / "in").mkdir()
    start = time.perf_counter()
    # datatrove distributes whole files among its workers, so each of them needs a file.
    with (folder / "rows.jsonl").open("rb") as file:
        parts = [(out / "in" / f"{i}.jsonl").open("wb") for i in range(cores)]
        for number, line in enumerate(file):
            parts[number % cores].write(line)
        for part in parts:
            part.close()
    config = ExactDedupConfig(content_getter=lambda document: document.text.lower().encode())
    steps: list[tuple[list[object], int]] = [
        (
            [
                JsonlReader(str(out / "in")),
                Clean(),
                JsonlWriter(str(out / "cleaned"), compression=None),
                ExactDedupSignature(str(out / "signatures"), finder_workers=cores, config=config),
            ],
            cores,
        ),
        ([ExactFindDedups(str(out / "signatures"), str(out / "duplicates"), config=config)], cores),
        (
            [
                JsonlReader(str(out / "cleaned")),
                ExactDedupFilter(str(out / "duplicates"), config=config),
                DocumentTokenizer(str(out / "tokens"), f"{tokenizer_folder}/tokenizer.json"),
            ],
            cores,
        ),
    ]
    for i, (pipeline, tasks) in enumerate(steps):
        LocalPipelineExecutor(pipeline, tasks=tasks, workers=tasks, logging_dir=str(out / f"logs-{i}")).run()
    return time.perf_counter() - start


def emptied(folder: Path) -> Path:
    """Create the folder, or remove everything in it."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return folder


RUN = {
    "encode_batch": _encode_batch,
    "metamapping": _metamapping,
    "metamapping-near": _metamapping_near,
    "datasets": _datasets,
    "datatrove": _datatrove,
}

if __name__ == "__main__":
    main()
