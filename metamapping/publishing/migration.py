"""Migration of published folders: one of any earlier format becomes one of the current format.

Encoder, tokenizer and cleaning are carried over as they are, and so is all that the mapping had learned in
the earlier format. What that format did not have yet keeps the value from before training, as in a new
mapping; ``migrate_published`` says which.

    migrate_published(Path("old/published"), Path("new/published"))

=======  =====================================================================================================
format   what it lacks
=======  =====================================================================================================
1        Hugging Face's files, views, word shapes, and all hyperparameters but α, λ and τ
2        views and word shapes; at first all hyperparameters but α, λ and τ, later the views' alone
3        the views' hyperparameters
4        the graph of the runtime, and the fingerprint
=======  =====================================================================================================
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from metamapping.config.corpus import CleaningSpec
from metamapping.errors import StoreError, one_line
from metamapping.interop import hugging_face, keras_hub_only
from metamapping.models.encoder import Encoder
from metamapping.models.mapping import MetaMapping
from metamapping.models.solvers.vector_layout import SPEEDUP, VectorIndex
from metamapping.publishing.layout import (
    CARD,
    CURVE,
    FORMAT_VERSION,
    MAPPING,
    MODEL,
    REPORT,
    SETTINGS,
    PublishedSettings,
    format_version_of,
)
from metamapping.publishing.published_model import (
    Provenance,
    PublishedModel,
    check_consistent,
    mapping_variables,
    write_published,
)
from metamapping.rounds.records import Cell
from metamapping.storage.artifacts import Stage
from metamapping.storage.bounded_json import read_json
from metamapping.storage.manifest import MANIFEST, check_files
from metamapping.storage.tensors import assign_variables, read_safetensors

_FIRST_VERSION = 1
# Everything else in a folder is a file of its tokenizer.
_NOT_TOKENIZER = (
    MODEL, MAPPING, SETTINGS, REPORT, CARD, CURVE, MANIFEST, hugging_face.CONFIG, keras_hub_only.ENCODER,
    "modules.json", "sentence_bert_config.json", "1_Pooling", "2_Normalize", ".*",
)  # fmt: skip
# The hyperparameters of formats 1 and 2 that were variables of their own.
_SCALARS = {
    "alpha": VectorIndex.ALPHA,
    "log_ridge": VectorIndex.LOG_RIDGE,
    "log_scale": VectorIndex.LOG_INVERSE_TEMPERATURE,
}


def migrate_published(folder: Path, out: Path) -> list[str]:
    """Write a published folder of an earlier format in the current one.

    Args:
        folder: The folder, on this machine; it is left as it is.
        out: The folder to write.

    Returns:
        Names of the parts of the mapping that the earlier format did not have, which are as before training.

    Raises:
        StoreError: The folder is damaged, or is not of an earlier format.
    """
    version = format_version_of(folder)
    if version is None or version not in range(_FIRST_VERSION, FORMAT_VERSION):
        raise StoreError(
            f"{folder} has format version {version!r:.80}, expected {_FIRST_VERSION} to "
            f"{FORMAT_VERSION - 1}: install the release that wrote it"
        )
    check_files(folder, [SETTINGS, MODEL, "tokenizer.json", CARD])
    settings = _read_settings(folder, version)
    encoder, learned = _read_encoder(folder, settings)
    mapping = MetaMapping(encoder.dim, solver=settings.solver)
    missing = _assign(mapping, encoder, learned, folder)
    check_consistent(folder, settings, encoder, mapping)
    with tempfile.TemporaryDirectory() as scratch:
        tokenizer = Path(scratch) / "tokenizer"
        shutil.copytree(folder, tokenizer, ignore=shutil.ignore_patterns(*_NOT_TOKENIZER))
        model = PublishedModel(encoder, mapping, tokenizer, settings.max_length_tokens, settings.cleaning)
        write_published(out, model, _provenance(folder, version, missing))
    return missing


def _read_settings(folder: Path, version: int) -> PublishedSettings:
    """The settings in the current form. Format 1 had neither family nor solver."""
    path = folder / SETTINGS
    try:
        content = read_json(path)
        content = {"family": None, "solver": "ridge", **content}
        content["cleaning"] = CleaningSpec.model_validate(content.get("cleaning"))
        return PublishedSettings.model_validate(content)
    except (ValueError, TypeError) as error:
        raise StoreError(
            f"{path} does not hold the settings of a folder of format {version} ({one_line(error)}): copy "
            "the folder again"
        ) from error


def _read_encoder(folder: Path, settings: PublishedSettings) -> tuple[Encoder, dict[str, np.ndarray]]:
    """The encoder, and the arrays of the mapping. In format 1 both are in one file."""
    if settings.family is not None:
        return Encoder(hugging_face.read_backbone(folder)), read_safetensors(folder / MAPPING)
    if (folder / MAPPING).is_file():
        return Encoder(keras_hub_only.read_backbone(folder)), read_safetensors(folder / MAPPING)
    arrays = read_safetensors(folder / MODEL)
    of_encoder = {
        name.removeprefix("encoder/"): each for name, each in arrays.items() if name.startswith("encoder/")
    }
    backbone = keras_hub_only.build_backbone(folder, of_encoder)
    return Encoder(backbone), {name: each for name, each in arrays.items() if name.startswith("mapping/")}


def _assign(
    mapping: MetaMapping, encoder: Encoder, learned: Mapping[str, np.ndarray], folder: Path
) -> list[str]:
    """Set the mapping to what was learned; the names of what was not are returned."""
    variables = mapping_variables(encoder, mapping)
    values = {name: np.asarray(variable.numpy()) for name, variable in variables.items()}
    own_names = {name.rsplit("/", 1)[-1]: name for name in values}
    learned = {name.rsplit("/", 1)[-1]: array for name, array in learned.items()}
    missing = [] if "word_shapes" in learned else ["word shapes"]
    strength, num_learned = _strength(learned, values[own_names["strength"]])
    missing += _missing_hyperparameters(num_learned, len(strength))
    for name, array in {**learned, "strength": strength}.items():
        if name in own_names:
            values[own_names[name]] = array
        elif name not in _SCALARS:
            raise StoreError(f"{folder} holds {name!r:.80}, which no mapping has: copy the folder again")
    assign_variables(variables, values, folder)
    return missing


def _strength(learned: Mapping[str, np.ndarray], initial: np.ndarray) -> tuple[np.ndarray, int]:
    """The vector of the hyperparameters, and how many of its first values were learned."""
    strength = initial.copy()
    if "strength" not in learned:
        for name, index in _SCALARS.items():
            if name in learned:
                strength[index] = learned[name].reshape(()) / SPEEDUP
        return strength, len(_SCALARS)
    known = learned["strength"]
    if known.ndim != 1 or len(known) > len(strength):
        return known, len(known)  # ``assign_variables`` reports it
    strength[: len(known)] = known
    return strength, len(known)


def _missing_hyperparameters(num_learned: int, num: int) -> list[str]:
    missing = [_words_of(index) for index in VectorIndex if index >= num_learned]
    if VectorIndex.VIEWS < num_learned < num:
        missing.append("views")
    return missing


def _words_of(index: VectorIndex) -> str:
    return index.name.lower().removeprefix("log_").replace("_", " ")


def _provenance(folder: Path, version: int, missing: list[str]) -> Provenance:
    manifest = read_json(folder / MANIFEST)
    try:
        stage = Stage(
            manifest["stage"], manifest["name"], FORMAT_VERSION, manifest["settings"], manifest["upstream"]
        )
        cells = [Cell.model_validate(cell) for cell in _cells(folder)]
    except (KeyError, TypeError, ValidationError) as error:
        raise StoreError(
            f"{folder} has no valid report ({one_line(error)}): copy the folder again"
        ) from error
    note = f"\nMigrated from format {version} to {FORMAT_VERSION}."
    if missing:
        note += f" Not learned, and as before training: {', '.join(missing)}."
    card = (folder / CARD).read_text(encoding="utf-8")
    curve = folder / CURVE
    return Provenance(stage, cells, f"{card}{note}\n", curve.read_bytes() if curve.is_file() else None)


def _cells(folder: Path) -> list[Any]:
    path = folder / REPORT
    return list(read_json(path)["test"]) if path.is_file() else []
