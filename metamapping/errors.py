"""Exceptions that users see, and functions that quote values of any length in a one-line message.

Input: an error, or names from the user's data. Output: text that is safe to put into a message or a log line,
however long or odd the value is.

    raise ConfigError(f"there is no column {name!r:.80}, only {listed(columns)}: {one_line(error)}")
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

# What the extra `train` of pyproject.toml installs and the library imports.
# fmt: off
TRAIN_PACKAGES = frozenset((
    "datasets", "keras", "keras_hub", "matplotlib", "pandas", "pyarrow", "rensa", "sklearn", "tensorboard",
    "tensorflow", "transformers",
))
# fmt: on

_MAX_MESSAGE_CHARACTERS = 300
_MAX_LISTED_NAMES = 20
_MAX_NAME_CHARACTERS = 60


class ConfigError(ValueError):
    """A configuration that cannot be run; the message says where, what is wrong and how to fix it."""


class StoreError(RuntimeError):
    """Something in the store differs from what was written there; the message names the file."""


class MissingExtraError(ImportError):
    """Something needs packages that an optional extra of metamapping installs; the message names it."""


@contextmanager
def needs_train_extra(what: str) -> Iterator[None]:
    """Within the block, packages of the extra ``train`` are imported; a missing one is reported.

    Args:
        what: What needs them, as the subject of a sentence.

    Raises:
        MissingExtraError: A package is not installed.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in TRAIN_PACKAGES:
            raise
        raise _missing_package(what, package) from error


def check_train_extra(what: str) -> None:
    """Check that TensorFlow is installed, without the seconds that importing it takes.

    Args:
        what: What needs it, as the subject of a sentence.

    Raises:
        MissingExtraError: It is not installed.
    """
    if find_spec("tensorflow") is None:
        raise _missing_package(what, "tensorflow")


def _missing_package(what: str, package: str) -> MissingExtraError:
    return MissingExtraError(
        f"{what} needs {package}, which is not installed: pip install 'metamapping[train]'", name=package
    )


def one_line(error: Any) -> str:
    """Return the message of an error as a single line of bounded length.

    Args:
        error: An exception, or anything else with a text form.

    Returns:
        The message without line breaks, at most 300 characters long; the name of the error's type where the
        message is empty.
    """
    text = " ".join(str(error).split()) or type(error).__name__
    return _truncated(text, _MAX_MESSAGE_CHARACTERS)


def listed(names: Collection[Any]) -> str:
    """Join names with commas.

    Args:
        names: Names of any length, as many as there are.

    Returns:
        The first 20 names, each of at most 60 characters, and how many more there are.
    """
    first = [
        _truncated(str(name), _MAX_NAME_CHARACTERS)
        for name, _ in zip(names, range(_MAX_LISTED_NAMES), strict=False)
    ]
    more = [f"… and {len(names) - len(first)} more"] if len(names) > len(first) else []
    return ", ".join([*first, *more])


def _truncated(text: str, max_characters: int) -> str:
    return text if len(text) <= max_characters else f"{text[:max_characters]}…"
