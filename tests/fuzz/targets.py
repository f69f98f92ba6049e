"""Targets of fuzzing: everything that reads files from untrusted sources, one class each.

A target's ``seeds`` are valid files with their kinds. ``run`` reads mutated bytes as if they were such a
file, and raises whatever the product raises.

    target = TARGETS["csv"](folder)
    data, kind = target.seeds[0]
    target.run(mutate(data, kind, rng), rng)
"""

from __future__ import annotations

import contextlib
import io
import json
import shutil
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from metamapping.config.sources import Columns, Source
from tests.fuzz.mutations import mutate

SAMPLES = Path(__file__).parents[2] / "samples"
ENCODINGS = ["utf-8"] * 12 + [
    "latin-1",
    "utf-16",
    "utf-7",
    "cp1252",
    "idna",
    "punycode",
    "shift_jis",
    "unicode_escape",
]
COLUMNS = [None] * 6 + [0, 1, -1, -3, 5, "text", "a.0", "x.y", ""]


class Target:
    """A way by which files get in; ``folder`` is for temporary files."""

    memory_megabytes = 1_000  # that it may need in addition to what the process has already
    needs_tensorflow = False
    seeds: list[tuple[bytes, str]]

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def run(self, data: bytes, rng: np.random.Generator) -> None:
        """Read ``data``, the mutated bytes of a seed."""
        raise NotImplementedError


class SourceFile(Target):
    """The reader of a source's file, with randomly chosen settings."""

    suffix = ""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        files = sorted(SAMPLES.glob(f"*.{self.suffix}"))[:4]
        self.seeds = [
            (b"".join(path.read_bytes().splitlines(keepends=True)[:12]), self.suffix) for path in files
        ]
        self.seeds += oddities(folder, self.suffix)

    def run(self, data: bytes, rng: np.random.Generator) -> None:
        from metamapping.corpus.records import read_records
        from metamapping.corpus.source_checks import check_source

        compressed = rng.random() < 0.05
        path = self.folder / f"a.{self.suffix}{'.gz' if compressed else ''}"
        path.write_bytes(data)
        source = Source(
            name="toy",
            task_type="ner"
            if rng.random() < (0.7 if self.suffix == "conll" else 0.1)
            else "text-classification",
            role="train",
            files=[str(path)],
            encoding=str(rng.choice(ENCODINGS)),
            header=bool(rng.random() < 0.8),
            quotes=[None, True, False][rng.integers(3)] if rng.random() < 0.3 else None,
            delimiter=_pick([None] * 8 + [";", "|", "\0"], rng),
            sheet=_pick([None] * 6 + [0, 1, "Data", ""], rng),
            columns=Columns(text=_pick(COLUMNS, rng), label=_pick(COLUMNS, rng)),
        )
        # The reader below raises the same errors, so that they are judged there.
        with contextlib.suppress(ValueError):
            check_source(source)
        for _ in read_records(source):
            pass


class Csv(SourceFile):
    suffix = "csv"


class Tsv(SourceFile):
    suffix = "tsv"


class Jsonl(SourceFile):
    suffix = "jsonl"


class Conll(SourceFile):
    suffix = "conll"


class Xlsx(SourceFile):
    suffix = "xlsx"


class Parquet(SourceFile):
    suffix = "parquet"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        tables: list[dict[str, Any]] = [
            {"text": ["a b", "c"], "label": ["x", "y"]},
            {"text": ["a b", None] * 40, "label": [1, 2] * 40, "a": [[["x"]], None] * 40},
            {"text": [{"y": "a"}, {"y": "b"}], "label": pa.array([2**60, 1]).cast(pa.timestamp("us"))},
            {"text": [b"a", b"\xff"], "label": pa.array([1.5, None], pa.float16())},
            {"words": [["a", "b"]], "tags": [["O", "B-x"]], "x": [{"y": [1, {"z": 2}][0]}]},
        ]
        for i, columns in enumerate(tables):
            for codec in ("none", "snappy", "zstd"):
                sink = io.BytesIO()
                pq.write_table(pa.table(columns), sink, compression=codec, use_dictionary=bool(i % 2))
                self.seeds.append((sink.getvalue(), "parquet"))


class Doors(Target):
    """The same file through the pipeline, the command line and the library, which must agree about it."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        kinds = ("csv", "tsv", "jsonl", "conll", "parquet", "xlsx")
        self.seeds = [seed for kind in kinds for seed in TARGETS[kind](folder).seeds]

    def run(self, data: bytes, rng: np.random.Generator) -> None:
        from tests.doors.doors import Fault, command_line, pipeline, python

        kind = _kind_of(data)
        path = self.folder / f"a.{kind}"
        path.write_bytes(data)
        is_ner = kind == "conll" or rng.random() < 0.15
        columns = Columns(
            text=_pick([None] * 6 + ["text", "a.0"], rng), label=_pick([None] * 6 + ["x.y"], rng)
        )
        task_type = "ner" if is_ner else "text-classification"
        read = command_line(path, columns, task_type)
        given = python(path, columns, task_type)
        # Of several faults one door may name another one first.
        if given != read and not (isinstance(given, str) and isinstance(read, str)):
            raise AssertionError(f"the library reads {given!r:.150}, the command line {read!r:.150}")
        if "text_pair" in str(read):  # the pipeline reads only second texts that are configured
            return
        prepared = pipeline(path, columns, task_type)
        if is_ner or (isinstance(read, str) and isinstance(prepared, str)):
            return
        faults = [label for *_, label in prepared if isinstance(label, Fault)]
        if isinstance(prepared, str) or bool(faults) != isinstance(read, str):
            raise AssertionError(f"the pipeline reads {prepared!r:.150}, the command line {read!r:.150}")
        if not faults and [text for text, *_ in prepared] != [text for text, *_ in read]:
            raise AssertionError(f"the pipeline reads {prepared!r:.150}, the command line {read!r:.150}")


class Config(Target):
    """The configuration of a run."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        root = SAMPLES.parent
        self.seeds = [
            (path.read_bytes(), "yaml") for path in (root / "tests/e2e/tiny.yaml", root / "configs/demo.yaml")
        ]
        self.seeds[1] = (b"\n".join(self.seeds[1][0].splitlines()[:80]), "yaml")
        self.seeds.append((b"a: &a [x, x]\nb: &b [*a, *a]\nc: {<<: {d: *b}}\nname: 2026-01-01\n", "yaml"))

    def run(self, data: bytes, rng: np.random.Generator) -> None:
        from metamapping.config.loading import read_config

        (self.folder / "c.yaml").write_bytes(data)
        read_config(self.folder / "c.yaml")


class Records(Target):
    """The rows of the CLI's commands, read and written again."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        kinds = ("csv", "tsv", "jsonl", "conll", "parquet", "xlsx")
        self.kinds = {kind: TARGETS[kind](folder) for kind in kinds}
        self.seeds = [seed for target in self.kinds.values() for seed in target.seeds]
        self.seeds.append((b"anna\nlives\n\nrome\n", "conll"))

    def run(self, data: bytes, rng: np.random.Generator) -> None:
        from metamapping.cli.entity_fields import EntityFields
        from metamapping.cli.fields import Fields
        from metamapping.cli.records import open_records
        from metamapping.cli.writing import write_records

        kind = str(rng.choice(list(self.kinds)))
        kind_out = str(rng.choice([each for each in self.kinds if each != "xlsx"]))
        path = self.folder / f"in.{kind}"
        path.write_bytes(data)
        column = _pick(["text", None, "a.0"], rng)
        is_ner = rng.random() < 0.4
        fields = EntityFields("ner", column) if is_ner else Fields("text-classification", column)
        with open_records(str(path)) as records:
            rows = list(records.rows)
            write_records(rows, str(self.folder / f"out.{kind_out}"), kind_out, schema=records.schema)
            fields.texts(rows)
            fields.labels(rows)


class Spans(Target):
    """Texts with spans, as annotation tools write them: as a source, and as rows of the command line."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        region = {"start": 0, "end": 3, "text": "Eve", "labels": ["PER"]}
        rows: list[Any] = [
            {"text": "Eve moved to Rome.", "label": [[0, 3, "PER"], [13, 17, "LOC"]]},
            {"text": "Eve met 😀", "entities": [{"start_offset": 0, "end_offset": 3, "label": "PER"}]},
            {"text": "Eve moved", "spans": [{"start": 0, "end": 3, "label": "PER"}], "answer": "accept"},
            ["Eve moved", {"entities": [[0, 3, "PER"]]}],
            {"data": {"text": "Eve moved"}, "annotations": [{"result": [{"value": region}]}]},
            {"tokenized_text": ["Eve", "moved"], "ner": [[0, 0, "PER"]]},
        ]
        self.seeds = [("".join(f"{json.dumps(row)}\n" for row in rows).encode(), "jsonl")]
        self.seeds += [(json.dumps(row).encode(), "json") for row in rows]

    def run(self, data: bytes, rng: np.random.Generator) -> None:
        from metamapping.cli.entity_fields import EntityFields
        from metamapping.cli.kept_rows import are_rejected
        from metamapping.cli.records import open_records
        from metamapping.corpus.label_counts import count_labels
        from metamapping.corpus.records import read_records
        from metamapping.corpus.source_checks import check_source

        path = self.folder / "a.jsonl"
        path.write_bytes(data)
        columns = Columns(text=_pick(["text", "data.text"], rng), label=_pick(["label", "spans"], rng))
        columns = columns if rng.random() < 0.2 else Columns()
        source = Source(name="toy", task_type="ner", role="train", files=[str(path)], columns=columns)
        for _ in read_records(source):
            pass
        with contextlib.suppress(ValueError):
            check_source(source)
            count_labels(source)
        with open_records(str(path)) as records:
            rows = list(records.rows)
        fields = EntityFields()
        are_rejected(fields, rows)
        fields.texts(rows)
        fields.labels(rows)


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


class Shell(Task):
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


def oddities(folder: Path, suffix: str) -> list[tuple[bytes, str]]:
    """Files with the oddities that users bring, of one format."""
    from tests.doors.files import FORMATS, ODDITIES, CannotRepresentError, write

    seeds = []
    for name, rows in ODDITIES.items() if suffix in FORMATS else ():
        with contextlib.suppress(CannotRepresentError):
            data = write(folder, suffix, rows).read_bytes()
            if len(data) < 50_000 and name != "no rows":
                seeds.append((data, suffix))
    if suffix == "csv":
        seeds += [(write(folder, "semicolon.csv", ODDITIES["quotes"]).read_bytes(), suffix)]
        seeds += [("\ufefftext,label\r\né,1\r\n".encode(each), suffix) for each in ("utf-8", "utf-16-le")]
    return seeds


def _kind_of(data: bytes) -> str:
    if data[:4] == b"PAR1":
        return "parquet"
    if data[:2] == b"PK":
        return "xlsx"
    if data.lstrip()[:1] in (b"{", b"["):
        return "jsonl"
    first = data.split(b"\n", 1)[0]
    if b"\t" in first:
        return "tsv"
    return "csv" if b"," in first or b";" in first else "conll"


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


def _pick(values: list[Any], rng: np.random.Generator) -> Any:
    return values[rng.integers(len(values))]


TARGETS: dict[str, type[Target]] = {
    "csv": Csv,
    "tsv": Tsv,
    "jsonl": Jsonl,
    "conll": Conll,
    "parquet": Parquet,
    "xlsx": Xlsx,
    "doors": Doors,
    "config": Config,
    "records": Records,
    "spans": Spans,
    "published": Published,
    "encoder": Encoder,
    "keras": Keras,
    "graph": Graph,
    "task": Task,
    "run": Run,
    "shell": Shell,
    "texts": Texts,
}
# Warnings of other libraries about mutated files are ignored.
warnings.simplefilter("ignore")
