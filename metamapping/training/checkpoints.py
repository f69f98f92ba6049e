"""Checkpoints: weights, optimizers and progress as safetensors and JSON.

A checkpoint is a folder with ``weights.safetensors``, ``optimizer.safetensors`` and ``state.json``,
written under a temporary name, with its manifest, and renamed. Partial checkpoints of a round are named
``partial-000050`` after their step; the latest two are kept. Every file is verified against the
manifest's checksums before it is loaded.

    save_checkpoint(folder / "round-1", learner, {"round": 1})
    state = load_checkpoint(folder / "round-1", learner)
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from metamapping.errors import StoreError
from metamapping.models.variables import model_variables, named_variables
from metamapping.storage import remote
from metamapping.storage.artifacts import Stage, write_manifest
from metamapping.storage.atomic_folder import atomic_folder, quarantine_folder, remove_abandoned_folders
from metamapping.storage.manifest import check_files, write_json
from metamapping.storage.tensors import (
    assign_variables,
    read_safetensors,
    write_safetensors,
    write_variables,
)

if TYPE_CHECKING:
    import keras

    from metamapping.training.learner import Learner

WEIGHTS, OPTIMIZER, STATE = "weights.safetensors", "optimizer.safetensors", "state.json"
GRADIENTS = "gradients.safetensors"
_VERSION = 1
_NUM_PARTIALS = 2


def save_checkpoint(
    folder: Path,
    learner: Learner,
    state: dict[str, Any],
    gradients: Mapping[str, np.ndarray] | None = None,
) -> None:
    """Write a checkpoint atomically; an older one of the same name is replaced.

    Args:
        folder: The checkpoint's folder.
        learner: Its weights and optimizers are saved.
        state: Plain JSON values, among them ``step``, the meta-steps so far.
        gradients: What a partial checkpoint knows of the sources' gradients, by source.
    """
    with _replacing(folder, state) as draft:
        write_variables(model_variables(learner.encoder, learner.mapping), draft / WEIGHTS)
        write_variables(_optimizer_variables(learner), draft / OPTIMIZER)
        if gradients:
            write_safetensors(gradients, draft / GRADIENTS)


def drop_weights(folder: Path) -> None:
    """Remove the weights of a checkpoint and keep its state, which contains the round's report.

    In a remote home nothing is removed, since a folder there is written once.

    Args:
        folder: The checkpoint's folder. Nothing happens if there is no checkpoint, or no weights in it.
    """
    state = read_state(folder)
    if state is not None and (folder / WEIGHTS).is_file() and not remote.is_remote(folder):
        with _replacing(folder, state):
            pass


@contextmanager
def _replacing(folder: Path, state: dict[str, Any]) -> Iterator[Path]:
    """A temporary directory that replaces the folder when the block ends without an error."""
    with atomic_folder(folder) as draft:
        remove_abandoned_folders(folder.parent)
        yield draft
        write_json(draft / STATE, state)
        write_manifest(draft, Stage("checkpoint", folder.name, _VERSION, {"step": state["step"]}), {})
        remote.push_folder(draft, folder)


def load_checkpoint(folder: Path, learner: Learner) -> dict[str, Any]:
    """Restore the weights and the optimizers of a learner from a checkpoint.

    Args:
        folder: The checkpoint's folder.
        learner: Its variables are set in place.

    Returns:
        The state that was saved with the checkpoint.

    Raises:
        StoreError: The checkpoint is missing or damaged, or belongs to another encoder.
    """
    load_weights(folder, learner)
    assign_variables(_optimizer_variables(learner), read_safetensors(folder / OPTIMIZER), folder / OPTIMIZER)
    return _state_of(folder)


def load_start(folder: Path, learner: Learner) -> dict[str, Any]:
    """Load the checkpoint that a round starts from; the round may train other layers than the checkpoint's.

    In that case the encoder's optimizer is reset: with moments of zero but a count of thousands of steps,
    Adam's bias correction would make the first steps of the new layers several times too large.

    Args:
        folder: The checkpoint's folder.
        learner: Its variables are set in place.

    Returns:
        The state that was saved with the checkpoint.

    Raises:
        StoreError: The checkpoint is missing or damaged, or belongs to another encoder.
    """
    load_weights(folder, learner)
    moments, path = read_safetensors(folder / OPTIMIZER), folder / OPTIMIZER
    variables = _optimizer_variables(learner)
    if set(variables) != set(moments):
        mapping = {name: v for name, v in variables.items() if name.startswith("mapping/")}
        assign_variables(mapping, {name: moments[name] for name in mapping if name in moments}, path)
        for name in set(variables) - set(mapping):
            variables[name].assign(np.zeros(variables[name].shape))
    else:
        assign_variables(variables, moments, path)
    return _state_of(folder)


def load_mean(shares: Mapping[Path, float], learner: Learner) -> None:
    """Set encoder and mapping to a weighted mean of checkpoints; the optimizers are left unchanged.

    Args:
        shares: The weight of each checkpoint's folder in the mean. The weights sum to 1 and may be negative.
        learner: Its encoder and mapping are set in place.

    Raises:
        StoreError: A checkpoint is missing or damaged, or belongs to another encoder.
    """
    first = next(iter(shares))
    means: dict[str, np.ndarray] = {}
    for folder, share in shares.items():
        _open(folder)
        for name, value in read_safetensors(folder / WEIGHTS).items():
            means[name] = means.get(name, 0.0) + share * value.astype(np.float64)
    assign_variables(model_variables(learner.encoder, learner.mapping), means, first / WEIGHTS)


def read_state(folder: Path) -> dict[str, Any] | None:
    """Read the state of a finished checkpoint, without its weights.

    Args:
        folder: The checkpoint's folder.

    Returns:
        The state, or ``None`` if there is no checkpoint.
    """
    data = remote.read_member(folder, STATE)
    if data is None:
        return None
    state: dict[str, Any] = json.loads(data)
    return state


def read_gradients(folder: Path) -> dict[str, np.ndarray]:
    """Read what a partial checkpoint knows of the sources' gradients.

    Args:
        folder: A checkpoint that has been loaded, and so verified.

    Returns:
        The arrays by source; empty where none had been measured.
    """
    path = folder / GRADIENTS
    return read_safetensors(path) if path.is_file() else {}


def load_weights(folder: Path, learner: Learner) -> None:
    """Load the weights of encoder and mapping from a checkpoint; the optimizers are left unchanged.

    Args:
        folder: The checkpoint's folder.
        learner: Its encoder and mapping are set in place.

    Raises:
        StoreError: The checkpoint is missing or damaged, or belongs to another encoder.
    """
    _open(folder)
    assign_variables(
        model_variables(learner.encoder, learner.mapping),
        read_safetensors(folder / WEIGHTS),
        folder / WEIGHTS,
    )


def save_partial(
    folder: Path,
    learner: Learner,
    state: dict[str, Any],
    gradients: Mapping[str, np.ndarray] | None = None,
) -> None:
    """Write a partial checkpoint after ``state["step"]`` steps, and remove all but the latest two.

    Args:
        folder: The folder of the round's partial checkpoints.
        learner: Its weights and optimizers are saved.
        state: As for ``save_checkpoint``.
        gradients: As for ``save_checkpoint``.
    """
    new = folder / f"partial-{state['step']:06d}"
    save_checkpoint(new, learner, state, gradients)
    for old in _partials(folder)[:-_NUM_PARTIALS]:
        remote.remove_folder(old)


def latest_partial(folder: Path) -> Path | None:
    """Find the partial checkpoint with the most steps; damaged ones are quarantined and skipped.

    Args:
        folder: The folder of a round's partial checkpoints.

    Returns:
        The checkpoint's folder, or ``None`` if there is none.

    Raises:
        StoreError: A partial checkpoint in a remote home is damaged: there it cannot be quarantined.
    """
    for partial in reversed(_partials(folder)):
        try:
            _open(partial)
            return partial
        except StoreError as error:
            if remote.is_remote(partial):
                raise
            quarantine_folder(partial, error)
    return None


def remove_partials(folder: Path) -> None:
    """Remove all partial checkpoints of a round, once the round's own checkpoint is written.

    Args:
        folder: The folder of the round's partial checkpoints.
    """
    remote.remove_folder(folder)


def _state_of(folder: Path) -> dict[str, Any]:
    state = read_state(folder)
    if state is None:
        raise StoreError(f"{folder} is not a checkpoint: it has no {STATE}")
    return state


def _optimizer_variables(learner: Learner) -> dict[str, keras.Variable]:
    kept = learner.optimizer_variables
    return named_variables("encoder", kept["encoder"]) | named_variables("mapping", kept["mapping"])


def _partials(folder: Path) -> list[Path]:
    return sorted(path for path in remote.list_folders(folder) if path.name.startswith("partial-"))


def _open(folder: Path) -> None:
    """Fetch a checkpoint to this machine and verify each of its files."""
    remote.pull_folder(folder)
    try:
        check_files(folder, [STATE])
    except StoreError as error:
        raise StoreError(
            f"{error}. Alternatively, remove the folder of that checkpoint and start the run again: the "
            "round is trained again, to the same weights on the same machine"
        ) from error
    if not (folder / WEIGHTS).is_file():
        raise StoreError(
            f"{folder} no longer has weights: `training.keep_checkpoints` removed them. Set it to `all` to "
            "keep those of every round, or remove the folder and train the round again"
        )
