"""Files of every format with the same rows, and rows with every oddity.

write(folder, "csv", [{"text": "late again", "label": "delivery"}])
"""

import csv
import io
import json

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
from openpyxl.utils.exceptions import IllegalCharacterError

TYPED = ("jsonl", "json", "parquet", "xlsx")
DELIMITED = {"csv": ",", "tsv": "\t", "semicolon.csv": ";", "txt": ","}
FORMATS = (*DELIMITED, *TYPED)


class CannotRepresentError(ValueError):
    """A format has no such values."""


def write(folder, format, rows, *, header=True, encoding="utf-8", newline="\n"):
    """Write rows with the same names, in their order, and return the path."""
    path = folder / f"rows.{format}"
    names = list(dict.fromkeys(name for row in rows for name in row))
    if format in DELIMITED:
        path.write_bytes(delimited(rows, names, DELIMITED[format], header, newline).encode(encoding))
    elif format == "parquet":
        try:
            table = pa.table({name: [row.get(name) for row in rows] for name in names})
        except (pa.ArrowException, UnicodeEncodeError, OverflowError) as error:
            raise CannotRepresentError from error
        pq.write_table(table, path)
    elif format == "xlsx":
        write_sheet(path, rows, names, header)
    else:
        lines = [json.dumps(row, ensure_ascii=False, default=str) for row in rows]
        text = "".join(f"{line}{newline}" for line in lines)
        path.write_bytes((text if format == "jsonl" else f"[{','.join(lines)}]").encode(encoding))
    return path


def delimited(rows, names, delimiter, header, newline):
    file = io.StringIO()
    plain = delimiter == "\t"
    writer = csv.writer(
        file,
        delimiter=delimiter,
        lineterminator=newline,
        quoting=csv.QUOTE_NONE if plain else csv.QUOTE_MINIMAL,
        quotechar=None if plain else '"',
    )
    values = [[row.get(name) for name in names] for row in rows]
    if any(not isinstance(value, str | int | float | None) for row in values for value in row):
        raise CannotRepresentError
    try:
        writer.writerows([names, *values] if header else values)
    except csv.Error as error:
        raise CannotRepresentError from error
    return file.getvalue()


def write_sheet(path, rows, names, header):
    book = openpyxl.Workbook()
    try:
        for row in [*([names] if header else []), *([row.get(name) for name in names] for row in rows)]:
            book.active.append(row)
        book.save(path)
    except (ValueError, OverflowError, IllegalCharacterError) as error:  # lists, control characters …
        raise CannotRepresentError from error


def labelled(*values, text="late again"):
    """Rows with these labels."""
    return [{"text": f"{text} {i}", "label": value} for i, value in enumerate(values)]


def texts(*values):
    """Rows with these texts."""
    return [{"text": value, "label": "xy"[i % 2]} for i, value in enumerate(values)]


# Rows by oddity. A file of each is written in every format that can represent it.
ODDITIES = {
    "plain": labelled("delivery", "refund"),
    "pairs": [
        {"text": "a b", "text_pair": "c d", "label": "x"},
        {"text": "e", "text_pair": "f", "label": "y"},
    ],
    "unicode": texts("cafe\u0301 ﬁne", "café fine", "🙂 שלום ﷺ", "日本語\u3000テキスト"),
    "odd spaces": texts("a\u00a0b", "a\u2028b", "a\x85b", "a\x0bb", "a\x1cb"),
    "markup": texts("if a<b and c>d stop", "<b>bold</b>", "&amp; &lt;"),
    "quotes": texts('she said "no"', '"all"', "it's", '""', "'"),
    "delimiters in texts": texts("a, b", "a; b", "a | b", "a,b;c"),
    "line ends in texts": texts("a\nb", "a\r\nb", "a\n\nb"),
    "tabs in texts": texts("a\tb", "c"),
    "huge text": texts("word " * 20_000, "b"),
    "empty text": texts("a", "", "b"),
    "blank text": texts("a", "  ", "b"),
    "null text": texts("a", None, "b"),
    "number as text": texts("a", 42, 2.5),
    "large number as text": texts("a", 10**400, "b"),
    "infinite number as text": texts("a", float("inf"), "b"),
    "boolean as text": texts("a", True, "b"),
    "list as text": texts(["a"], ["b"]),
    "text like a missing value": texts("nan", "None", "NA", "null"),
    "label like a missing value": labelled("nan", "None", "NA", "null"),
    "null label": labelled("x", None, "y"),
    "empty label": labelled("x", "", "y"),
    "NaN label": labelled(1.0, float("nan"), 2.0),
    "integer labels": labelled(1, 2, 1),
    "integers as text": labelled("1", "2", "01"),
    "float labels": labelled(1.0, 2.0, 1.0),
    "other float labels": labelled(0.5, 1.5, 2.0),
    "large integer labels": labelled(2**53 + 1, 2**53 + 2),
    "boolean labels": labelled(True, False, True),
    "spelled boolean labels": labelled("True", "false", "TRUE"),
    "labels of several types": labelled("x", 1, "y"),
    "booleans and numbers": labelled(True, 1, 0),
    "spaces around labels": labelled(" x", "x ", "\tx"),
    "lists of one label": labelled(["x"], ["y"]),
    "lists of labels": labelled(["x"], ["x", "y"], []),
    "objects as labels": labelled({"a": 1}, {"a": 2}),
    "spaces in the header": [{"text": "a", " label ": "x"}, {"text": "b", " label ": "y"}],
    "capitals in the header": [{"Text": "a", "LABEL": "x"}, {"Text": "b", "LABEL": "y"}],
    "other columns": [
        {"id": 1, "text": "a", "note": None, "label": "x"},
        {"id": 2, "text": "b", "label": "y"},
    ],
    "column without a name": [{"text": "a", "": "z", "label": "x"}, {"text": "b", "": "", "label": "y"}],
    "missing column": [{"text": "a", "kind": "x"}, {"text": "b", "kind": "y"}],
    "wrong column": [{"body": "a", "label": "x"}, {"body": "b", "label": "y"}],
    "no rows": [],
}
