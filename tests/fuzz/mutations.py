"""Mutations: a valid file made a little wrong, in its bytes or in its structure.

    mutate(b'{"text": "a"}', "json", np.random.default_rng(0))

Formats whose structure is known: json, jsonl, yaml, csv, tsv, conll, safetensors; of others the bytes.
"""

from __future__ import annotations

import copy
import json
import struct
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
    """The same file with one to four mutations."""
    for _ in range(rng.integers(1, 5)):
        changed = None
        if rng.random() < 0.5:
            changed = _structured(data, kind, rng)
        data = _bytes(data, rng) if changed is None else changed
    return data[:400_000]


def _structured(data: bytes, kind: str, rng: np.random.Generator) -> bytes | None:
    """A mutation of the values; ``None`` where the file cannot be read any more."""
    try:
        if kind == "json":
            return _dumped(_value(json.loads(data), rng))
        if kind == "jsonl":
            lines = data.splitlines()
            place = int(rng.integers(len(lines)))
            lines[place] = _dumped(_value(json.loads(lines[place]), rng))
            return b"\n".join(lines)
        if kind == "yaml":
            value = _value(yaml.safe_load(data), rng)
            return yaml.safe_dump(value, allow_unicode=True, sort_keys=False).encode("utf-8", "surrogatepass")
        if kind in SEPARATORS:
            return _fields(data, SEPARATORS[kind].encode(), rng)
        if kind == "safetensors":
            (length,) = struct.unpack("<Q", data[:8])
            header = _dumped(_value(json.loads(data[8 : 8 + length]), rng))
            return struct.pack("<Q", len(header)) + header + data[8 + length :]
    except (
        ValueError,
        RecursionError,
        IndexError,
        struct.error,
        yaml.YAMLError,
        OverflowError,
        AttributeError,
    ):
        return None
    return None


def _dumped(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")


def _value(value: Any, rng: np.random.Generator) -> Any:
    """The value with something in it replaced, removed, doubled, renamed or nested."""
    if not isinstance(value, dict | list) or not value or rng.random() < 0.15:
        return _other(value, rng)
    value = copy.copy(value)
    places = list(value) if isinstance(value, dict) else list(range(len(value)))
    place = places[rng.integers(len(places))]
    what = rng.random()
    if what < 0.6:
        value[place] = _value(value[place], rng)
    elif what < 0.7:
        del value[place]
    elif isinstance(value, list):
        value.insert(place, copy.deepcopy(value[rng.integers(len(value))]))
    elif what < 0.85:
        value[str(VALUES[rng.integers(len(VALUES))])] = value.pop(place)
    else:
        value[place] = value[places[rng.integers(len(places))]]
    return value


def _other(value: Any, rng: np.random.Generator) -> Any:
    what = rng.random()
    if what < 0.1:
        for _ in range(int(rng.integers(1, 2_000))):
            value = [value]
        return value
    if what < 0.2:
        return [value] * int(rng.integers(1, 200))
    if isinstance(value, int | float) and what < 0.5:
        return (
            value * float(rng.choice([-1, 0.5, 2, 1e3, 1e9]))
            if rng.random() < 0.3
            else int(rng.integers(-3, 100))
        )
    return VALUES[rng.integers(len(VALUES))]


def _fields(data: bytes, separator: bytes, rng: np.random.Generator) -> bytes:
    lines = data.split(b"\n")
    place = int(rng.integers(len(lines)))
    fields = lines[place].split(separator)
    field = int(rng.integers(len(fields)))
    what = rng.integers(6)
    if what == 0:
        fields[field] = TOKENS[rng.integers(len(TOKENS))]
    elif what == 1:
        fields[field] = str(VALUES[rng.integers(len(VALUES))]).encode("utf-8", "replace")
    elif what == 2:
        del fields[field]
    elif what == 3:
        fields += fields[field:] * int(rng.integers(1, 100))
    elif what == 4:
        lines[place:place] = [lines[rng.integers(len(lines))]] * int(rng.integers(1, 100))
        return b"\n".join(lines)
    else:
        fields[field] = b'"' + fields[field]
    lines[place] = separator.join(fields)
    return b"\n".join(lines)


def _bytes(data: bytes, rng: np.random.Generator) -> bytes:
    first, last = sorted(int(each) for each in rng.integers(0, len(data) + 1, 2))
    what = rng.integers(7)
    if what == 0 and data:
        changed = bytearray(data)
        for place in rng.integers(0, len(data), rng.integers(1, 9)):
            changed[place] ^= 1 << int(rng.integers(8))
        return bytes(changed)
    if what == 1:
        return data[:first] + data[last:]
    if what == 2:
        return data[:first] + data[first:last] * int(rng.integers(2, 20)) + data[last:]
    if what == 3:
        return data[:last]
    if what == 4:
        return data[:first] + rng.bytes(int(rng.integers(1, 16))) + data[first:]
    if what == 5:
        return data[:first] + data[last:] + data[first:last]
    return data[:first] + TOKENS[rng.integers(len(TOKENS))] + data[first:]
