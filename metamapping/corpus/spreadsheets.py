"""Spreadsheets: the header and the rows of one sheet of an .xlsx file.

Input: a path or an open file. Output: a ``Table`` as of a delimited file, whose fields are values: a whole
number is an integer, a date its ISO text, and an empty or failed cell (`#N/A`) an empty text, as in CSV.
Formulas have the values that were saved with them. Rows without a value are left out. The package openpyxl
reads files row by row; python-calamine, which is faster, allocates every cell of the rectangle that is in
use, so that one value in the last cell of a sheet ends the process.

    table = read_spreadsheet(path, source, path)
    for line, values in table.rows:
        print(line, table.header, values)
"""

from __future__ import annotations

import itertools
import warnings
import zipfile
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any, BinaryIO

from metamapping.config.sources import Source
from metamapping.corpus.columns import listed_names
from metamapping.corpus.delimited import Table
from metamapping.corpus.text_files import check_pointer
from metamapping.corpus.unpacking import check_unpacked
from metamapping.errors import ConfigError, one_line

# A small file may hold gigabytes of zeros.
_MAX_UNPACKED_BYTES = 500_000_000
_ROWS_PER_PART = 1_000


def read_spreadsheet(file: Path | BinaryIO, source: Source, path: Path) -> Table:
    """Read the header of a sheet, and its rows as they are asked for.

    Args:
        file: The path of the file, or the file opened for reading at any position.
        source: Which sheet is read, and whether its first row names the columns.
        path: The file's path, for error messages.

    Raises:
        ConfigError: The file is not a spreadsheet, has no such sheet, or the package openpyxl is missing.
    """
    sheet = _open_sheet(file, source, path)
    rows = _rows(sheet, source, path)
    if not source.header:
        return Table(None, None, _of_one_width(rows, None))
    first = next(rows, None)
    header = [] if first is None else [str(value) for value in first[1]]
    return Table(None, header, _of_one_width(rows, len(header)))


def _open_sheet(file: Path | BinaryIO, source: Source, path: Path) -> Any:
    try:
        import openpyxl
    except ImportError as error:
        raise ConfigError(
            f"source {source.name!r}: reading {path} needs the package openpyxl: install it with "
            "`pip install 'metamapping[excel]'`, or save the sheet as CSV"
        ) from error
    if isinstance(file, Path):
        check_pointer(file, source)
    try:
        with zipfile.ZipFile(file) as archive:
            num_bytes = sum(each.file_size for each in archive.infolist())
            num_packed = sum(each.compress_size for each in archive.infolist())
        check_unpacked(num_bytes, num_packed, source, path)
        if num_bytes > _MAX_UNPACKED_BYTES:
            raise ConfigError(
                f"source {source.name!r}: {path} has {num_bytes} bytes when it is unpacked, more than "
                f"{_MAX_UNPACKED_BYTES}: save the sheet as CSV"
            )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about styles and extensions, which are not read
            book = openpyxl.load_workbook(file, read_only=True, data_only=True, keep_links=False)
    except ConfigError:
        raise
    except Exception as error:  # openpyxl raises errors of all kinds for invalid XML
        raise _unreadable(error, source, path) from error
    sheets = {sheet.title: sheet for sheet in book.worksheets}
    names = list(sheets)
    if isinstance(source.sheet, int) and -len(names) <= source.sheet < len(names):
        return sheets[names[source.sheet]]
    if isinstance(source.sheet, str) and source.sheet in sheets:
        return sheets[source.sheet]
    if source.sheet is None and names:
        return sheets[names[0]]
    wanted = "no sheet" if source.sheet is None else f"no sheet {source.sheet!r:.80}"
    raise ConfigError(
        f"source {source.name!r}: {path} has {wanted}, but {listed_names(names) or 'none'}: set `sheet` (on "
        "the command line --sheet) to a name, or a number from 0"
    )


def _unreadable(error: Exception, source: Source, path: Path) -> ConfigError:
    return ConfigError(
        f"source {source.name!r}: {path} is not a readable .xlsx file ({type(error).__name__}: "
        f"{one_line(error)}): save it as .xlsx, without a password, or as CSV"
    )


def _rows(sheet: Any, source: Source, path: Path) -> Iterator[tuple[int, list[Any]]]:
    """The number and the values of each row that has a value, up to its last one."""
    sheet.reset_dimensions()  # Some programs write wrong ones, and rows would end there.
    rows = enumerate(sheet.iter_rows(), 1)
    while True:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # about dates that are none
                part = [
                    (number, [_value(cell) for cell in cells])
                    for number, cells in itertools.islice(rows, _ROWS_PER_PART)
                ]
        except Exception as error:  # as above
            raise _unreadable(error, source, path) from error
        if not part:
            return
        for number, values in part:
            while values and values[-1] == "":
                values.pop()
            if values:
                yield number, values


def _value(cell: Any) -> Any:
    value = cell.value
    if cell.data_type == "e":
        return ""
    if isinstance(value, datetime):
        return (value.date() if value.time() == time() else value).isoformat()
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return str(value)
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return int(value)
    return value if isinstance(value, str | bool | int | float) else ""


def _of_one_width(
    rows: Iterator[tuple[int, list[Any]]], width: int | None
) -> Iterator[tuple[int, list[Any]]]:
    """The same rows; those that end before the width of the header or the first row are filled up."""
    for line, values in rows:
        width = len(values) if width is None else width
        yield line, values + [""] * (width - len(values))
