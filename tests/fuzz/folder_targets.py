"""Targets of fuzzing that read folders which the product wrote, and what users of the library pass in."""

from __future__ import annotations

import contextlib
import io
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np

from tests.fuzz.file_targets import Records
from tests.fuzz.mutations import mutate
from tests.fuzz.target import Target


class Folder(Target):
    """A folder that the product wrote, with one or two mutated files whose checksums may be updated."""

    memory_megabytes = 3_000

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.original, self.decoy = folder / "original", folder / "decoy.json"
        self.decoy.write_text('{"secret": 1}')
        shutil.rmtree(self.original, ignore_errors=True)
        with contextlib.redirect_stderr(io.StringIO()):
            self.build()
        names = sorted(
            path.relative_to(self.original).as_posix() for path in self.original.rglob("*") if path.is_file()
        )
        self.files = [name for name in names if not name.endswith((".md", ".png"))]
        self.seeds = [((self.original / name).read_bytes(), name) for name in self.files]

    def build(self) -> None:
        """Write the original folder."""
        raise NotImplementedError

    def mutated(self, rng: np.random.Generator) -> Path:
        """Copy the folder with one or two mutated files, as a forger or a broken disk would leave it."""
        copy = self.folder / "copy"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(self.original, copy)
        for _ in range(rng.integers(1, 3)):
            name = self.files[rng.integers(len(self.files))]
            path = copy / name
            if rng.random() < 0.05:
                path.unlink(missing_ok=True)
                if rng.random() < 0.5:
                    path.symlink_to(str(rng.choice([str(self.decoy), name, "/dev/zero", "."])))
                continue
            path.unlink(missing_ok=True)  # a previous mutation may have left a link: never write through it
            path.write_bytes(mutate((self.original / name).read_bytes(), Path(name).suffix[1:], rng))
        if rng.random() < 0.9:
            _update_checksums(copy)
        return copy


def _is_own(folder: Path, name: str) -> bool:
    """Whether a file is in the folder itself, so that nothing outside is read through a link."""
    try:
        return (folder / name).resolve() == folder / name
    except (OSError, RuntimeError):  # a circle of links
        return False


def _update_checksums(folder: Path) -> None:
    """Make the checksums of a folder match its mutated files, as a forger would."""
    from metamapping.storage.manifest import fingerprint, fingerprint_file

    for path in folder.glob("*.json"):
        if path.is_symlink():
            continue
        with contextlib.suppress(ValueError, AttributeError, KeyError, OSError, TypeError, RecursionError):
            value = json.loads(path.read_bytes())
            if path.name == "manifest.json":
                for name in [each for each in value["files"] if _is_own(folder, each)]:
                    value["files"][name]["blake2b"] = fingerprint_file(folder / name)
            elif "blake2b" not in value:
                continue
            value.pop("blake2b", None)
            path.write_text(json.dumps({**value, "blake2b": fingerprint(value)}))


class Published(Folder):
    """A published folder, read by everything that does not need TensorFlow."""

    needs_tensorflow = True  # to write the folder

    def build(self) -> None:
        from tests.toy_published import publish_toy

        publish_toy(self.original.parent / "making", self.original)

    def run(self, data: bytes, rng: np.random.Generator) -> None:
        from metamapping.cli.folders import describe_folder
        from metamapping.corpus.tokenization import encode_texts, load_tokenizer
        from metamapping.publishing.layout import check_published, read_settings

        copy = self.mutated(rng)
        with contextlib.suppress(RuntimeError, ValueError, FileNotFoundError):
            _check_errors(lambda: describe_folder(copy))
        check_published(copy)
        settings = read_settings(copy)
        tokenizer = load_tokenizer(copy, max_length_tokens=settings.max_length_tokens)
        encode_texts(tokenizer, ["where is my parcel", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaa!"])


class Encoder(Published):
    """A published folder, opened by the runtime and used to predict."""

    backend = "runtime"

    def run(self, data: bytes, rng: np.random.Generator) -> None:
        from metamapping import MetaMapper

        mapper = MetaMapper.from_pretrained(self.mutated(rng), backend=self.backend)
        _check(mapper.zero_shot(["delivery", "refund"]).predict_proba(["where is my parcel", "", "😀"]))


class Keras(Encoder):
    """The same with TensorFlow."""

    backend = "tensorflow"


class Graph(Published):
    """The graph of a published folder alone, read and run."""

    memory_megabytes = 1_000

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.seeds = [((self.original / "model.onnx").read_bytes(), "onnx")]

    def run(self, data: bytes, rng: np.random.Generator) -> None:
        from metamapping.corpus.ragged import Ragged
        from metamapping.runtime.encoder import RuntimeEncoder
        from metamapping.runtime.graph_file import read_graph
        from metamapping.runtime.weight_file import WeightFile

        copy = self.folder / "graph"
        copy.mkdir(exist_ok=True)
        shutil.copy(self.original / "model.safetensors", copy)
        (copy / "model.onnx").write_bytes(data)
        weights = WeightFile(copy / "model.safetensors")
        encoder = RuntimeEncoder(read_graph(copy, weights, max_length_tokens=16), weights)
        ids = Ragged.from_lists([[2, 7, 3], [2, 7, 8, 9, 3]], np.int32)
        encoder.encode(ids, Ragged(np.zeros_like(ids.values), ids.offsets))


class Task(Folder):
    """A saved task, opened, used to predict, changed and saved again."""

    needs_tensorflow = True

    def build(self) -> None:
        from metamapping import MetaMapper
        from tests.toy_published import publish_toy

        publish_toy(self.folder / "making", self.folder / "encoder")
        self.mapper = MetaMapper.from_pretrained(self.folder / "encoder")
        texts = ["where is my parcel", "i want my money back", "the delivery is late"]
        self.mapper.adapt(texts, ["delivery", "refund", "delivery"]).save(self.original)

    def run(self, data: bytes, rng: np.random.Generator) -> None:
        from metamapping import Mapping
        from metamapping.cli.folders import describe_folder

        copy = self.mutated(rng)
        with contextlib.suppress(RuntimeError, ValueError, FileNotFoundError):
            _check_errors(lambda: describe_folder(copy))
        mapping = Mapping.load(copy, self.mapper)
        if mapping.task_type == "ner":
            mapping.predict([["a", "b"]], threshold=0.5)
            return
        _check(mapping.predict_proba(["where is my parcel", "x"]))
        mapping.confidence(["x"])
        mapping.explain("x") if mapping.num_examples else None
        mapping.add(["new text"], [mapping.labels[0]])
        mapping.remove([0])
        mapping.save(self.folder / "saved")


class Run(Folder):
    """A run's folder, described, and compared with the original one."""

    def build(self) -> None:
        from tests.runs.test_comparison import make_run

        home = self.folder / "home"
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir()
        shutil.copytree(make_run(home, "toy", test=True).path, self.original)

    def run(self, data: bytes, rng: np.random.Generator) -> None:
        from metamapping.cli.folders import describe_folder
        from metamapping.runs.comparison import compare_runs
        from metamapping.runs.folder import RunFolder

        copy = self.mutated(rng)
        with contextlib.suppress(RuntimeError, ValueError, FileNotFoundError):
            _check_errors(lambda: describe_folder(copy))
        runs = self.folder / "store" / "runs"
        runs.mkdir(parents=True, exist_ok=True)
        for name, folder in (("original", self.original), ("copy", copy)):
            if not (runs / name).exists():
                (runs / name).symlink_to(folder)
        compare_runs(
            RunFolder(self.folder / "store", "original"), RunFolder(self.folder / "store", "copy")
        ).markdown()


class Commands(Task):
    """Whole commands, on mutated rows and on mutated folders."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.records = Records(folder / "records")

    def run(self, data: bytes, rng: np.random.Generator) -> None:
        from metamapping.cli import main

        kind = str(rng.choice(["csv", "tsv", "jsonl", "conll", "parquet"]))
        seeds = [seed for seed, each in self.records.seeds if each == kind]
        path = self.folder / f"rows.{kind}"
        path.write_bytes(mutate(seeds[rng.integers(len(seeds))], kind, rng))
        out = str(self.folder / f"out.{rng.choice(['csv', 'tsv', 'jsonl', 'conll', 'parquet'])}")
        task = str(self.mutated(rng) if rng.random() < 0.3 else self.original)
        label = ["--label", str(rng.choice(["label", "intent", "domain", "a.0", ""]))]
        command = [
            ["inspect", task],
            ["predict", task, str(path), "--out", out],
            ["predict", task, str(path), "--out", out, "--proba", "--threshold", "0.5"],
            ["evaluate", task, str(path), *label],
            ["adapt", str(self.folder / "encoder"), str(path), "--out", str(self.folder / "made"), *label],
            [
                "adapt",
                str(self.folder / "encoder"),
                str(path),
                "--out",
                str(self.folder / "made"),
                "--task-type",
                "ner",
            ],
            ["compare", task, task],
        ][rng.integers(7)]
        output, errors = io.TextIOWrapper(io.BytesIO()), io.StringIO()
        with contextlib.redirect_stdout(output), contextlib.redirect_stderr(errors):
            try:
                code = main(command)
            except SystemExit as end:
                code = end.code
        error = errors.getvalue()
        if code not in (0, 2) or (code == 2 and "rror" not in error) or "Traceback" in error:
            raise AssertionError(f"{command[0]} ended with {code}: {error[-300:]}")


class Texts(Target):
    """Arbitrary texts and labels of a library user: adapted to, added, removed and predicted."""

    needs_tensorflow = True
    memory_megabytes = 3_000

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        from metamapping import MetaMapper
        from tests.toy_published import publish_toy

        publish_toy(folder / "making", folder / "encoder")
        self.mapper = MetaMapper.from_pretrained(folder / "encoder")
        self.seeds = [(b"where is my parcel", "text"), ("سلام 😀 שלום".encode(), "text"), (b"", "text")]

    def run(self, data: bytes, rng: np.random.Generator) -> None:
        texts = [data[i::3].decode("utf-8", "surrogateescape") or "b" for i in range(3)] + ["a", "b"]
        names = [
            str(value) for value in rng.choice(np.array(["a", "b", " ", "😀", "", "O", "B-x"], object), 5)
        ]
        mapping = self.mapper.adapt(texts, names)
        _check(mapping.predict_proba([*texts, "", " "]))
        mapping.add(texts[:1], [texts[1]])
        _check(mapping.predict_proba(texts))
        mapping.remove([int(rng.integers(-1, 7))])
        mapping.remove(label=mapping.labels[0])
        _check(mapping.predict_proba(texts))


def _check(probabilities: np.ndarray) -> None:
    if not np.isfinite(probabilities).all() or not np.allclose(probabilities.sum(axis=-1), 1, atol=1e-3):
        raise AssertionError(f"not probabilities: {probabilities}")


def _check_errors(call: Any) -> None:
    """Re-raise expected errors, and turn any other into an ``AssertionError``, which no caller suppresses."""
    from tests.fuzz.guard import EXPECTED_ERRORS

    try:
        call()
    except Exception as error:
        if type(error) in EXPECTED_ERRORS:
            raise
        raise AssertionError(f"{type(error).__name__}: {error}") from error
