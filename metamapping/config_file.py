"""The configuration of a run, from a YAML file: strict, with sentences for what it refuses.

Anything that is not understood is refused with a sentence that names the field, the value and the
mend. Relative paths are relative to the file, and ``${NAME}`` comes from the environment.

    config = read_config("configs/demo.yaml")
"""

from __future__ import annotations

import difflib
import os
import re
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from metamapping.config import ConfigError, RunConfig, Source

MAX_CONFIG_BYTES = 4_000_000


def read_config(path: str | Path) -> RunConfig:
    """Read a YAML configuration; relative paths in it are relative to its own folder.

    ``${NAME}`` in any text is replaced from the environment. Raises ``ConfigError``.
    """
    path = Path(path)
    if not path.is_file():
        raise ConfigError(f"no configuration at {path}: give the path of a YAML file")
    if path.stat().st_size > MAX_CONFIG_BYTES:
        raise ConfigError(f"{path} is larger than {MAX_CONFIG_BYTES} bytes: that is no configuration")
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not readable YAML: {error}") from error
    if not isinstance(data, dict):
        raise ConfigError(f"{path} must hold a mapping of settings, not {type(data).__name__}")
    return parse_config(data, folder=path.parent)


def parse_config(data: dict[str, Any], *, folder: Path = Path()) -> RunConfig:
    """Make a ``RunConfig`` of plain values, with paths relative to ``folder``."""
    expanded = _expand(data)
    try:
        config = RunConfig.model_validate(expanded)
    except ValidationError as error:
        raise ConfigError("\n".join(_sentence(e, expanded) for e in error.errors())) from error
    return _resolve(config, folder.resolve())


def describe_settings() -> str:
    """Every setting with its default and description, a line each."""
    return "\n".join(_describe(RunConfig, ""))


def _describe(model: type[BaseModel], prefix: str) -> list[str]:
    lines = []
    for name, info in model.model_fields.items():
        inner = _model_in(info.annotation)
        place = f"{prefix}{name}{'[]' if inner is Source else ''}"
        required = info.is_required() or info.default is None or inner is not None
        default = "" if required else f" (default {info.get_default(call_default_factory=True)})"
        lines.append(f"  {place}{default}{': ' + info.description if info.description else ''}")
        if inner is not None:
            lines += _describe(inner, f"{place}.")
    return lines


def _expand(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _expand(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_expand(item) for item in value]
    if isinstance(value, str):
        return re.sub(r"\$\{(\w+)\}", _environment, value)
    return value


def _environment(match: re.Match[str]) -> str:
    name = match.group(1)
    if name not in os.environ:
        raise ConfigError(f"the configuration uses ${{{name}}}, but that variable is not set: export it")
    return os.environ[name]


def _resolve(config: RunConfig, folder: Path) -> RunConfig:
    """Absolute paths, labels of label files, and the checks that need the disk."""
    preset = config.encoder.preset
    if preset is not None and "://" not in preset and (folder / preset).is_dir():
        preset = str(folder / preset)
    encoder = config.encoder.model_copy(update={"preset": preset})
    sources = [_resolve_source(source, folder) for source in config.sources]
    return config.model_copy(update={"sources": sources, "encoder": encoder}).at_home(config.home)


def _resolve_source(source: Source, folder: Path) -> Source:
    files = None
    if source.files is not None:
        files = [str(folder / file) for file in source.files]
        for file in files:
            if not Path(file).is_file():
                raise ConfigError(f"source {source.name!r}: no file at {file}: mend `files`")
    label_roles = None
    if source.label_roles:
        label_roles = {
            role: _read_labels(source.name, folder / labels) if isinstance(labels, str) else labels
            for role, labels in source.label_roles.items()
        }
        seen: dict[str, str] = {}
        for role, labels in label_roles.items():
            for label in labels:
                if seen.setdefault(label, role) != role:
                    raise ConfigError(
                        f"source {source.name!r}: label {label!r} stands under {seen[label]} and "
                        f"{role}: a label has one role"
                    )
    return source.model_copy(update={"files": files, "label_roles": label_roles})


def _read_labels(name: str, path: Path) -> list[str]:
    if not path.is_file():
        raise ConfigError(f"source {name!r}: no label file at {path}: mend `label_roles`")
    return [line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def _sentence(error: Any, data: Any) -> str:
    """One sentence for one of pydantic's errors, with a guess for a misspelt key."""
    place = ".".join(str(part) for part in error["loc"]) or "configuration"
    source = _source_name(error["loc"], data)
    where = f"{place} (source {source!r})" if source else place
    message = error["msg"].removeprefix("Value error, ")
    if error["type"] == "extra_forbidden":
        known = _fields_at(error["loc"][:-1])
        guess = difflib.get_close_matches(str(error["loc"][-1]), known, n=1)
        hint = f"did you mean {guess[0]!r}?" if guess else f"known here: {', '.join(sorted(known))}"
        return f"{where}: there is no such setting; {hint}"
    value = error.get("input")
    is_told = isinstance(value, (str, int, float, bool)) and error["loc"][:1] != ("home",)  # may be secret
    shown = f", got {value!r}" if is_told else ""
    return f"{where}: {message}{shown}"


def _source_name(loc: tuple[Any, ...], data: Any) -> str | None:
    if len(loc) >= 2 and loc[0] == "sources" and isinstance(loc[1], int):
        source = data["sources"][loc[1]]
        if isinstance(source, dict) and "name" in source:
            return str(source["name"])
    return None


def _fields_at(loc: tuple[Any, ...]) -> list[str]:
    model: type[BaseModel] = RunConfig
    for part in loc:
        if isinstance(part, str) and part in model.model_fields:
            found = _model_in(model.model_fields[part].annotation)
            if found is None:
                return []
            model = found
    return list(model.model_fields)


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for argument in getattr(annotation, "__args__", ()):
        found = _model_in(argument)
        if found is not None:
            return found
    return None
