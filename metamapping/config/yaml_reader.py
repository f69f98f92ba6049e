"""Reading of a configuration's YAML into plain values, within limits on its size.

Input: a YAML file, possibly a hostile one. Output: dictionaries, lists, texts and numbers with ``${NAME}``
replaced from the environment. Time and memory are bounded: a kilobyte of nested aliases can expand to
terabytes, so their expansion is limited. Duplicate keys are an error; YAML would silently use the last one.
Variables that are named like secrets are not replaced, because a configuration is written into run folders,
reports and the Prefect server.

    values = expand(read_yaml(Path("configs/demo.yaml")))
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import yaml

from metamapping.errors import ConfigError, one_line

# PyYAML takes ten seconds for a file of this size.
MAX_CONFIG_BYTES = 500_000
MAX_VALUES, MAX_DEPTH, MAX_BITS = 100_000, 20, 128

_SECRET = re.compile(r"TOKEN|SECRET|PASSW|PASSPHRASE|CREDENTIAL|AUTH|(^|_)KEY|API_?KEY|NOTIFY_URL", re.I)


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader, which only makes plain values, without duplicate keys."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.tag != "tag:yaml.org,2002:merge":
                if key.value in seen:
                    raise yaml.constructor.ConstructorError(
                        None, None, f"the key {key.value[:80]!r} occurs twice here", key.start_mark
                    )
                seen.add(key.value)
        return super().construct_mapping(node, deep)


def read_yaml(path: Path) -> dict[str, Any]:
    """Read the values of a YAML file.

    Args:
        path: Path of the file.

    Returns:
        The top-level mapping, with ``${NAME}`` not yet replaced.

    Raises:
        ConfigError: If there is no such file, if it is too large, or if it is not a YAML mapping.
    """
    if not _is_file(path):
        raise ConfigError(f"no configuration at {path}: give the path of a YAML file")
    try:
        with path.open("rb") as file:
            content = file.read(MAX_CONFIG_BYTES + 1)
        if len(content) > MAX_CONFIG_BYTES:
            raise ConfigError(f"{path} is larger than {MAX_CONFIG_BYTES} bytes: make it smaller")
        data = yaml.load(content.decode(), _Loader)  # noqa: S506  (it is a safe loader)
    except ConfigError:
        raise
    except RecursionError as error:
        raise ConfigError(f"{path} is nested too deeply: flatten it") from error
    except Exception as error:
        # PyYAML lets the errors of invalid values through, such as the ValueError of `!!int x`.
        raise ConfigError(f"{path} is not readable YAML: {one_line(error)}") from error
    if not isinstance(data, dict):
        raise ConfigError(f"{path} must contain a mapping of settings, not {type(data).__name__}")
    return data


def expand(data: Any) -> Any:
    """Replace ``${NAME}`` in all texts by the environment variable of that name.

    Args:
        data: Plain values as ``read_yaml`` returns them.

    Returns:
        A copy of the values with the variables replaced.

    Raises:
        ConfigError: If there are too many or too deeply nested values, if a value's type is not supported, or
            if a variable is not set or is named like a secret.
    """
    left = MAX_VALUES

    def expanded(value: Any, depth: int) -> Any:
        nonlocal left
        left -= 1
        if left < 0 or depth > MAX_DEPTH:
            raise ConfigError(
                f"the configuration has more than {MAX_VALUES} values, or more than {MAX_DEPTH} levels, "
                "after its aliases are expanded: make it smaller"
            )
        if isinstance(value, dict):
            return {key: expanded(item, depth + 1) for key, item in value.items()}
        if isinstance(value, list):
            return [expanded(item, depth + 1) for item in value]
        if isinstance(value, str):
            return re.sub(r"\$\{(\w+)\}", _environment, value)
        if isinstance(value, bytes | set | tuple):
            raise ConfigError(
                f"the configuration has a value of YAML's type {type(value).__name__!r}: use only texts, "
                "numbers, lists and mappings"
            )
        if isinstance(value, int) and value.bit_length() > MAX_BITS:
            raise ConfigError(
                f"the configuration has a number of {value.bit_length()} bits: use at most {MAX_BITS}"
            )
        return value

    return expanded(data, 0)


def _environment(match: re.Match[str]) -> str:
    name = match.group(1)
    if _SECRET.search(name):
        raise ConfigError(
            f"the configuration uses ${{{name}}}, which is named like a secret: configurations are written "
            f"into run folders and shown by Prefect; leave secrets in the environment, where the programs "
            f"read them"
        )
    if name not in os.environ:
        raise ConfigError(f"the configuration uses ${{{name}}}, but that variable is not set: export it")
    return os.environ[name]


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:
        # For example where the name is too long for the file system.
        return False
