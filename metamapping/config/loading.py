"""Loading of a run's configuration from YAML, and the list of all settings.

Input: a YAML file or plain values. Output: a valid ``RunConfig`` with absolute paths, with ``${NAME}``
replaced from the environment, and with label files read. Every error is a sentence that names the setting,
its source and its value, and how to fix it.

    config = read_config("configs/demo.yaml")
"""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from metamapping.config.files import find_files, similar_name
from metamapping.config.labels import label_texts
from metamapping.config.schema import RunConfig
from metamapping.config.source_roles import check_names_and_roles
from metamapping.config.sources import Source
from metamapping.config.yaml_reader import expand, read_yaml
from metamapping.errors import ConfigError, one_line

_MAX_LABEL_FILE_BYTES = 10_000_000
_MAX_SENTENCES = 20


def read_config(path: str | Path) -> RunConfig:
    """Read a configuration from a YAML file.

    Args:
        path: Path of the file; relative paths in it are relative to its folder.

    Returns:
        The configuration, with absolute paths and with ``${NAME}`` replaced from the environment.

    Raises:
        ConfigError: If the file cannot be read or the configuration is not valid.
    """
    path = Path(path)
    return parse_config(read_yaml(path), folder=path.parent)


def parse_config(data: dict[str, Any], *, folder: Path = Path()) -> RunConfig:
    """Make a configuration of plain values.

    Args:
        data: Nested dictionaries and lists, as in a YAML file.
        folder: Folder to which relative paths are relative.

    Returns:
        The configuration, with absolute paths and with ``${NAME}`` replaced from the environment.

    Raises:
        ConfigError: If the configuration is not valid, with a sentence for each of the first 20 errors.
    """
    expanded = expand(data)
    try:
        config = RunConfig.model_validate(expanded)
    except ValidationError as error:
        errors = error.errors(include_url=False)
        sentences = [_sentence(each, expanded) for each in errors[:_MAX_SENTENCES]]
        more = [f"… and {len(errors) - len(sentences)} more"] if len(errors) > len(sentences) else []
        raise ConfigError("\n".join([*sentences, *more])) from error
    try:
        return _resolve(config, folder.resolve())
    except OSError as error:
        # For example a name that is too long, or a folder without read permission.
        raise ConfigError(
            f"the configuration names a path that cannot be read: {one_line(error)}: correct the path or its "
            "permissions"
        ) from error


def describe_settings() -> str:
    """Return a text with one line per setting: its name, default and description."""
    return "\n".join(_describe(RunConfig, ""))


def _describe(model: type[BaseModel], prefix: str) -> list[str]:
    lines = []
    for name, info in model.model_fields.items():
        inner = _model_in(info.annotation)
        place = f"{prefix}{name}{'[]' if inner is Source else ''}"
        # An empty default is explained by the description, and the default of a part by its settings.
        has_no_value = info.is_required() or info.default in (None, "") or inner is not None
        default = "" if has_no_value else f" (default {info.get_default(call_default_factory=True)})"
        lines.append(f"  {place}{default}{': ' + info.description if info.description else ''}")
        if inner is not None:
            lines += _describe(inner, f"{place}.")
    return lines


def _resolve(config: RunConfig, folder: Path) -> RunConfig:
    """Make paths absolute, read label files, and run the checks that need the disk."""
    preset = config.encoder.preset
    if preset is not None and "://" not in preset:
        preset = _preset_folder(preset, folder)
    encoder = config.encoder.model_copy(update={"preset": preset})
    sources = [_resolve_source(source, folder) for source in config.sources]
    try:
        check_names_and_roles(sources)  # again, because patterns and folders of two sources may share files
    except ValueError as error:
        raise ConfigError(str(error)) from error
    return config.model_copy(update={"sources": sources, "encoder": encoder}).at_home(config.home)


def _preset_folder(preset: str, folder: Path) -> str:
    path = folder / Path(preset).expanduser()
    if path.is_dir():
        return str(path)
    similar = similar_name(path)
    hint = "correct the path" if similar is None else f"did you mean {similar!r}?"
    raise ConfigError(
        f"encoder.preset: no such folder {path}: {hint} (a model of the hub is written as "
        f"`hf://{preset:.80}`)"
    )


def _resolve_source(source: Source, folder: Path) -> Source:
    files = None
    if source.files is not None:
        try:
            files = find_files(source.files, folder, any_suffix=source.format is not None)
        except ConfigError as error:
            raise ConfigError(f"source {source.name!r}: {error}") from error
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
                        f"source {source.name!r}: label {label!r} is listed under {seen[label]} and "
                        f"{role}: list each label under one role"
                    )
    return source.model_copy(update={"files": files, "label_roles": label_roles})


def _read_labels(name: str, path: Path) -> list[str]:
    if not path.is_file():
        raise ConfigError(f"source {name!r}: no label file at {path}: correct `label_roles`")
    with path.open("rb") as file:
        content = file.read(_MAX_LABEL_FILE_BYTES + 1)
    if len(content) > _MAX_LABEL_FILE_BYTES:
        raise ConfigError(
            f"source {name!r}: the label file {path} has more than {_MAX_LABEL_FILE_BYTES} bytes: correct "
            "`label_roles`"
        )
    try:
        lines = content.decode().splitlines()
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"source {name!r}: the label file {path} is not UTF-8 ({error.reason}): convert it to UTF-8"
        ) from error
    return label_texts(line for line in lines if line.strip())


def _sentence(error: Any, data: Any) -> str:
    """One sentence for one of pydantic's errors, with a suggestion for a misspelt key."""
    place = ".".join(f"{part!s:.80}" for part in error["loc"]) or "configuration"
    source = _source_name(error["loc"], data)
    where = f"{place} (source {source!r})" if source else place
    message = error["msg"].removeprefix("Value error, ")
    if error["type"] == "extra_forbidden":
        known = _fields_at(error["loc"][:-1])
        similar = difflib.get_close_matches(f"{error['loc'][-1]!s:.80}", known, n=1)
        hint = f"did you mean {similar[0]!r}?" if similar else f"known here: {', '.join(sorted(known))}"
        return f"{where}: there is no such setting; {hint}"
    value = error.get("input")
    # A home may be an address with a secret in it.
    is_shown = isinstance(value, (str, int, float, bool)) and error["loc"][:1] != ("home",)
    got = f", got {value!r:.80}" if is_shown else ""
    return f"{where}: {message}{got}"


def _source_name(loc: tuple[Any, ...], data: Any) -> str | None:
    """The name of the source that an error's location lies in."""
    if len(loc) >= 2 and loc[0] == "sources" and isinstance(loc[1], int):
        source = data["sources"][loc[1]]
        if isinstance(source, dict) and "name" in source:
            return str(source["name"])
    return None


def _fields_at(loc: tuple[Any, ...]) -> list[str]:
    """The settings that are allowed at a location of the configuration."""
    model: type[BaseModel] = RunConfig
    for part in loc:
        if isinstance(part, str) and part in model.model_fields:
            found = _model_in(model.model_fields[part].annotation)
            if found is None:
                return []
            model = found
    return list(model.model_fields)


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """The first part of the configuration within a type, such as ``Source`` in ``list[Source]``."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for argument in getattr(annotation, "__args__", ()):
        found = _model_in(argument)
        if found is not None:
            return found
    return None
