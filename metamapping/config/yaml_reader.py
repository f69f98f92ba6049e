"""A configuration's YAML, made into plain values; what is too much for one is refused.

Aliases are followed, but not without end: a kilobyte of them can stand for terabytes. A key that is
written twice is refused, where YAML would take the last one. ``${NAME}`` comes from the environment;
secrets do not, because a configuration is written into run folders, reports and the Prefect server.

    values = expand(read_yaml(Path("configs/demo.yaml")))
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import yaml

from metamapping.errors import ConfigError, one_line

MAX_CONFIG_BYTES = 500_000  # which takes PyYAML ten seconds
MAX_VALUES, MAX_DEPTH, MAX_BITS = 100_000, 20, 128

_SECRET = re.compile(r"TOKEN|SECRET|PASSW|PASSPHRASE|CREDENTIAL|AUTH|(^|_)KEY|API_?KEY|NOTIFY_URL", re.I)


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader, which makes plain values alone, and takes no key twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.tag != "tag:yaml.org,2002:merge":
                if key.value in seen:
                    raise yaml.constructor.ConstructorError(
                        None, None, f"the key {key.value[:80]!r} stands here twice", key.start_mark
                    )
                seen.add(key.value)
        return super().construct_mapping(node, deep)


def read_yaml(path: Path) -> dict[str, Any]:
    """The values of a YAML file. Raises ``ConfigError``."""
    if not _is_file(path):
        raise ConfigError(f"no configuration at {path}: give the path of a YAML file")
    try:
        with path.open("rb") as file:
            content = file.read(MAX_CONFIG_BYTES + 1)
        if len(content) > MAX_CONFIG_BYTES:
            raise ConfigError(f"{path} is larger than {MAX_CONFIG_BYTES} bytes: that is no configuration")
        data = yaml.load(content.decode(), _Loader)  # noqa: S506  (it is a safe loader)
    except ConfigError:
        raise
    except RecursionError as error:
        raise ConfigError(f"{path} is nested too deeply: that is no configuration") from error
    except Exception as error:  # beside its own errors, whatever a value raises in PyYAML: `!!int x`
        raise ConfigError(f"{path} is not readable YAML: {one_line(error)}") from error
    if not isinstance(data, dict):
        raise ConfigError(f"{path} must hold a mapping of settings, not {type(data).__name__}")
    return data


def expand(data: Any) -> Any:
    """The same values with ``${NAME}`` replaced. Raises ``ConfigError``, also for too many values."""
    left = MAX_VALUES

    def expanded(value: Any, depth: int) -> Any:
        nonlocal left
        left -= 1
        if left < 0 or depth > MAX_DEPTH:
            raise ConfigError(
                f"the configuration has more than {MAX_VALUES} values, or more than {MAX_DEPTH} levels, "
                "once its aliases are followed: that is no configuration"
            )
        if isinstance(value, dict):
            return {key: expanded(item, depth + 1) for key, item in value.items()}
        if isinstance(value, list):
            return [expanded(item, depth + 1) for item in value]
        if isinstance(value, str):
            return re.sub(r"\$\{(\w+)\}", _environment, value)
        if isinstance(value, bytes | set | tuple):
            raise ConfigError(
                f"the configuration has a value of YAML's type {type(value).__name__!r}: write texts, "
                "numbers, lists and mappings"
            )
        if isinstance(value, int) and value.bit_length() > MAX_BITS:
            raise ConfigError(f"the configuration has a number of {value.bit_length()} bits: mend it")
        return value

    return expanded(data, 0)


def _environment(match: re.Match[str]) -> str:
    name = match.group(1)
    if _SECRET.search(name):
        raise ConfigError(
            f"the configuration uses ${{{name}}}, which is named like a secret: configurations are written "
            "into run folders and shown by Prefect; leave secrets in the environment, where they are read"
        )
    if name not in os.environ:
        raise ConfigError(f"the configuration uses ${{{name}}}, but that variable is not set: export it")
    return os.environ[name]


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # such as a name that is too long
        return False
