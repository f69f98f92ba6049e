"""Mutations: a valid file with small errors in its bytes or in its structure.

    mutate(b'{"text": "a"}', "json", np.random.default_rng(0))

The structure of json, jsonl, yaml, csv, tsv, conll, xlsx and safetensors is known; in other formats only
bytes are mutated. The same generator makes the same mutation.
"""

from __future__ import annotations

import copy
import io
import json
import struct
import zipfile
import zlib
from typing import Any

import numpy as np
import yaml

VALUES: list[Any] = [
    None,
    True,
    False,
    0,
    -1,
    1,
    2,
    255,
    10**6,
    2**31,
    2**63,
    -(2**63),
    10**30,
    10**400,
    0.5,
    -0.0,
    1e308,
    float("inf"),
    float("nan"),
    "",
    " ",
    "\0",
    "\n",
    "a",
    "O",
    "B-",
    "I-x",
    "../x",
    "/nowhere/secret",
    "a\0b",
    "\ud800",
    "😀",
    "ﷺ שלום",
    "x" * 5_000,
    "${HOME}",
    "${NO}",
    "hf://x",
    "s3://u:p@h/x",
    [],
    {},
    [[]],
    [None],
    {"": ""},
    ["a", 1],
    {"a": {"a": {}}},
]
TOKENS = [
    b"\0",
    b"\xff",
    b"\xef\xbb\xbf",
    b"\xff\xfe",
    b"\r",
    b"\n",
    b"\r\n",
    b'"',
    b'""',
    b"'",
    b",",
    b"\t",
    b"{",
    b"}",
    b"[",
    b"]",
    b":",
    b"&a ",
    b"*a",
    b"!!set ",
    b"!!binary ",
    b"<<: ",
    b"- ",
    b"? ",
    b"| ",
    b"#",
    b"\\u",
    b"\\ud800",
    b"-DOCSTART-",
    b"B-",
    b"I-",
    b"O",
    b"NaN",
    b"1e999",
    b"9" * 5_000,
    b"\xe2\x80\xa8",
    b"\x85",
    b"PAR1",
    b"\x1f\x8b",
    b"../",
    b"[" * 2_000,
    b'{"a":' * 2_000,
    b" " * 5_000,
    b"x" * 50_000,
]
SEPARATORS = {"csv": ",", "tsv": "\t", "conll": " "}


def mutate(data: bytes, kind: str, rng: np.random.Generator) -> bytes:
    """Apply one to four mutations to a file; about half of them in its structure, where ``kind`` has one."""
    for _ in range(rng.integers(1, 5)):
        changed = None
        if rng.random() < 0.5:
            changed = _mutate_structure(data, kind, rng)
        data = _mutate_bytes(data, rng) if changed is None else changed
    return data[:400_000]


def _mutate_structure(data: bytes, kind: str, rng: np.random.Generator) -> bytes | None:
    """Mutate a value of the file; ``None`` if the file is already too damaged to be parsed."""
    try:
        if kind == "json":
            return _dump_json(_mutate_value(json.loads(data), rng))
        if kind == "jsonl":
            lines = data.splitlines()
            index = int(rng.integers(len(lines)))
            lines[index] = _dump_json(_mutate_value(json.loads(lines[index]), rng))
            return b"\n".join(lines)
        if kind == "yaml":
            value = _mutate_value(yaml.safe_load(data), rng)
            return yaml.safe_dump(value, allow_unicode=True, sort_keys=False).encode("utf-8", "surrogatepass")
        if kind in SEPARATORS:
            return _mutate_fields(data, SEPARATORS[kind].encode(), rng)
        if kind == "xlsx":
            return _mutate_archive(data, rng)
        if kind == "safetensors":
            (length,) = struct.unpack("<Q", data[:8])
            header = _dump_json(_mutate_value(json.loads(data[8 : 8 + length]), rng))
            return struct.pack("<Q", len(header)) + header + data[8 + length :]
    except (
        ValueError,
        RecursionError,
        IndexError,
        struct.error,
        yaml.YAMLError,
        OverflowError,
        AttributeError,
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        NotImplementedError,
        RuntimeError,
        KeyError,
    ):
        return None
    return None


def _mutate_archive(data: bytes, rng: np.random.Generator) -> bytes:
    """Mutate the bytes of one file of an archive."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        files = {each.filename: archive.read(each) for each in archive.infolist()}
    name = list(files)[rng.integers(len(files))]
    files[name] = _mutate_bytes(files[name], rng)
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return file.getvalue()


def _dump_json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")


def _mutate_value(value: Any, rng: np.random.Generator) -> Any:
    """Replace, remove, double, rename or nest something within a value, or the value itself."""
    if not isinstance(value, dict | list) or not value or rng.random() < 0.15:
        return _replace_value(value, rng)
    value = copy.copy(value)
    keys = list(value) if isinstance(value, dict) else list(range(len(value)))
    key = keys[rng.integers(len(keys))]
    choice = rng.random()
    if choice < 0.6:
        value[key] = _mutate_value(value[key], rng)
    elif choice < 0.7:
        del value[key]
    elif isinstance(value, list):
        value.insert(key, copy.deepcopy(value[rng.integers(len(value))]))
    elif choice < 0.85:
        value[str(VALUES[rng.integers(len(VALUES))])] = value.pop(key)
    else:
        value[key] = value[keys[rng.integers(len(keys))]]
    return value


def _replace_value(value: Any, rng: np.random.Generator) -> Any:
    choice = rng.random()
    if choice < 0.1:
        for _ in range(int(rng.integers(1, 2_000))):
            value = [value]
        return value
    if choice < 0.2:
        return [value] * int(rng.integers(1, 200))
    if isinstance(value, int | float) and choice < 0.5:
        return (
            value * float(rng.choice([-1, 0.5, 2, 1e3, 1e9]))
            if rng.random() < 0.3
            else int(rng.integers(-3, 100))
        )
    return VALUES[rng.integers(len(VALUES))]


def _mutate_fields(data: bytes, separator: bytes, rng: np.random.Generator) -> bytes:
    lines = data.split(b"\n")
    index = int(rng.integers(len(lines)))
    fields = lines[index].split(separator)
    field = int(rng.integers(len(fields)))
    choice = rng.integers(6)
    if choice == 0:
        fields[field] = TOKENS[rng.integers(len(TOKENS))]
    elif choice == 1:
        fields[field] = str(VALUES[rng.integers(len(VALUES))]).encode("utf-8", "replace")
    elif choice == 2:
        del fields[field]
    elif choice == 3:
        fields += fields[field:] * int(rng.integers(1, 100))
    elif choice == 4:
        lines[index:index] = [lines[rng.integers(len(lines))]] * int(rng.integers(1, 100))
        return b"\n".join(lines)
    else:
        fields[field] = b'"' + fields[field]
    lines[index] = separator.join(fields)
    return b"\n".join(lines)


def _mutate_bytes(data: bytes, rng: np.random.Generator) -> bytes:
    first, last = sorted(int(each) for each in rng.integers(0, len(data) + 1, 2))
    choice = rng.integers(7)
    if choice == 0 and data:
        changed = bytearray(data)
        for position in rng.integers(0, len(data), rng.integers(1, 9)):
            changed[position] ^= 1 << int(rng.integers(8))
        return bytes(changed)
    if choice == 1:
        return data[:first] + data[last:]
    if choice == 2:
        return data[:first] + data[first:last] * int(rng.integers(2, 20)) + data[last:]
    if choice == 3:
        return data[:last]
    if choice == 4:
        return data[:first] + rng.bytes(int(rng.integers(1, 16))) + data[first:]
    if choice == 5:
        return data[:first] + data[last:] + data[first:last]
    return data[:first] + TOKENS[rng.integers(len(TOKENS))] + data[first:]
