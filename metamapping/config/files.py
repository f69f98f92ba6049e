"""Files: finds the files of a source by paths, patterns and folders.

Input: what a user writes under ``files``. Output: the paths of existing files, each once, sorted within each
pattern and folder. ``~`` is the home folder. A path that exists is never taken for a pattern.

    find_files(["data/*.csv", "~/more"], Path("configs"))
"""

from __future__ import annotations

import difflib
import glob
from collections.abc import Iterator, Sequence
from pathlib import Path

from metamapping.errors import ConfigError, listed

SUFFIXES = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
    ".parquet": "parquet",
    ".conll": "conll",
    ".bio": "conll",
    ".iob": "conll",
    ".xlsx": "xlsx",
    ".xlsm": "xlsx",
}
_COMPRESSED = {".gz", ".zst", ".bz2", ".lz4"}


def format_of_suffix(path: Path) -> str | None:
    """Return the format that the suffix of a file stands for, before the suffix of a compression.

    Args:
        path: The path of a file, which need not exist.

    Returns:
        A format such as ``csv``; ``None`` if the suffix stands for none.
    """
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and suffixes[-1] in _COMPRESSED:
        suffixes.pop()
    return SUFFIXES.get(suffixes[-1]) if suffixes else None


def find_files(names: Sequence[str], folder: Path, *, any_suffix: bool = False) -> list[str]:
    """Return the paths of all files that are named.

    Args:
        names: Paths of files or folders, and patterns with ``*``, ``?``, ``[…]`` and ``**``.
        folder: The folder to which relative paths are relative.
        any_suffix: Whether files of unknown suffixes in folders are included.

    Raises:
        ConfigError: A path does not exist, or a pattern or a folder has no files; the message has no
            source's name.
    """
    found: dict[str, None] = {}
    for name in names:
        found |= dict.fromkeys(_find(name, folder, any_suffix))
    return list(found)


def similar_name(path: Path) -> str | None:
    """Return the name in the same folder that is most similar to the name of a missing file.

    Args:
        path: The path of the missing file.

    Returns:
        A file name; ``None`` if there is no similar one or no such folder.
    """
    try:
        names = sorted(each.name for each in path.parent.iterdir())
    except OSError:
        return None
    by_lower = {name.lower(): name for name in reversed(names)}
    similar = difflib.get_close_matches(path.name.lower(), by_lower, n=1)
    return by_lower[similar[0]] if similar else None


def _find(name: str, folder: Path, any_suffix: bool) -> Iterator[str]:
    try:
        expanded = Path(name).expanduser()
    except RuntimeError as error:  # there is no such user
        raise ConfigError(f"no file at {name}: {error}: correct `files`") from error
    path = folder / expanded
    if path.is_file():
        yield str(path)
        return
    if path.is_dir():
        files = sorted(each for each in path.iterdir() if each.is_file() and not each.name.startswith("."))
        known = [each for each in files if any_suffix or format_of_suffix(each) is not None]
        if not known:
            raise ConfigError(
                f"the folder {path} has no files with a known suffix ({listed(list(SUFFIXES))}): correct "
                "`files`, or set `format`"
            )
        yield from map(str, known)
        return
    if glob.has_magic(name):
        # Unlike `Path.glob`, this leaves hidden files out.
        names = glob.glob(str(expanded), root_dir=folder, recursive=True)  # noqa: PTH207
        matches = sorted(str(folder / each) for each in names if (folder / each).is_file())
        if not matches:
            raise ConfigError(f"no file matches the pattern {path}: correct `files`")
        yield from matches
        return
    similar = similar_name(path)
    hint = f": did you mean {similar!r}?" if similar is not None else ""
    raise ConfigError(f"no file at {path}{hint or ': correct `files`'}")
