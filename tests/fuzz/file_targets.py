"""Targets of fuzzing that read single files: sources, configurations, and rows of the commands."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from metamapping.config.sources import Columns, Source
from tests.fuzz.target import SAMPLES, Target, pick

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
            delimiter=pick([None] * 8 + [";", "|", "\0"], rng),
            sheet=pick([None] * 6 + [0, 1, "Data", ""], rng),
            columns=Columns(text=pick(COLUMNS, rng), label=pick(COLUMNS, rng)),
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


FILES: dict[str, type[SourceFile]] = {
    "csv": Csv,
    "tsv": Tsv,
    "jsonl": Jsonl,
    "conll": Conll,
    "parquet": Parquet,
    "xlsx": Xlsx,
}


class EntryPoints(Target):
    """The same file through the pipeline, the command line and the library, which must agree about it."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        kinds = ("csv", "tsv", "jsonl", "conll", "parquet", "xlsx")
        self.seeds = [seed for kind in kinds for seed in FILES[kind](folder).seeds]

    def run(self, data: bytes, rng: np.random.Generator) -> None:
        from tests.entry_points.entry_points import Fault, command_line, pipeline, python

        kind = _kind_of(data)
        path = self.folder / f"a.{kind}"
        path.write_bytes(data)
        is_ner = kind == "conll" or rng.random() < 0.15
        columns = Columns(text=pick([None] * 6 + ["text", "a.0"], rng), label=pick([None] * 6 + ["x.y"], rng))
        task_type = "ner" if is_ner else "text-classification"
        read = command_line(path, columns, task_type)
        given = python(path, columns, task_type)
        # Of several faults one entry point may name another one first.
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
        self.kinds = {kind: FILES[kind](folder) for kind in kinds}
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
        column = pick(["text", None, "a.0"], rng)
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
        columns = Columns(text=pick(["text", "data.text"], rng), label=pick(["label", "spans"], rng))
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


def oddities(folder: Path, suffix: str) -> list[tuple[bytes, str]]:
    """Files with the oddities that users bring, of one format."""
    from tests.entry_points.files import FORMATS, ODDITIES, CannotRepresentError, write

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
