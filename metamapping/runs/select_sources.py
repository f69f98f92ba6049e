"""The selection stage: which train sources a run trains on.

selection = select_stage(run)
selection.chosen
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from metamapping.config.sources import TaskType
from metamapping.episodes.sampler import SELECT_STREAM
from metamapping.rounds.settings import AdjustableSettings
from metamapping.runs.folder import RunFolder
from metamapping.runs.label_spaces import read_spaces
from metamapping.runs.lock import exclusive
from metamapping.runs.plots import similarity_png
from metamapping.runs.session import session_of
from metamapping.runs.stages import initialise_stage
from metamapping.storage import remote
from metamapping.training import checkpoints
from metamapping.training.source_selection import (
    Candidate,
    Selection,
    choose_sources,
    list_sources,
    selection_markdown,
)
from metamapping.training.source_similarity import profile_source, similarity_table

SourceCallback = Callable[[int, str], None]


def select_stage(run: RunFolder, *, on_source: SourceCallback | None = None) -> Selection:
    """Choose the train sources, and write a table and a plot of the choice into the run's folder.

    Args:
        run: An opened run.
        on_source: Called with the number of sources measured so far and the name of the last one.

    Returns:
        The selection, read from the run's folder if it was made before.
    """
    # Without the run's lock: the workers of a cluster read the choice while their chief holds it.
    return _selection_made(run) or _select(run, on_source)


def _selection_made(run: RunFolder) -> Selection | None:
    if run.config.selection.mode == "all":
        names = _train_sources(run)
        return list_sources(names, [name for name, _ in names])
    done = run.read_result("selection")
    return None if done is None else Selection.model_validate(done)


@exclusive
def _select(run: RunFolder, on_source: SourceCallback | None) -> Selection:
    made = _selection_made(run)  # by the process that was waited for
    if made is not None:
        return made
    if run.config.selection.mode == "list":
        selection = list_sources(_train_sources(run), run.config.selection.sources)
    else:
        selection = _select_related(run, on_source)
        remote.write_file(run.path / "selection.png", similarity_png(selection))
    remote.write_file(run.path / "selection.md", f"{selection_markdown(selection)}\n".encode())
    run.write_result("selection", selection.model_dump())
    return selection


def _train_sources(run: RunFolder) -> list[tuple[str, TaskType]]:
    """The name and the task type of each train source."""
    return [(source.name, source.task_type) for source in run.config.sources_with("train")]


def _select_related(run: RunFolder, on_source: SourceCallback | None) -> Selection:
    """The train sources most related to the targets, by the encoder's features before meta-training."""
    config = run.config
    initialise_stage(run)
    learner = session_of(run).learner(AdjustableSettings.of(config))
    checkpoints.load_weights(run.checkpoint(0), learner)
    train = read_spaces(config, run.corpus, "train")
    is_train, targets = {space.source for space in train}, config.selection.targets
    held_out = [name for name in targets if name not in is_train]
    spaces = [*train, *read_spaces(config, run.corpus, "validation", only=held_out)]
    profiles, candidates = [], []
    for number, space in enumerate(spaces):
        rng = np.random.default_rng([config.seed, SELECT_STREAM, number])
        profiles.append(profile_source(learner.encoder, space, rng))
        name = space.source
        candidates.append(Candidate(name, space.task_type, name in is_train, name in targets))
        if on_source is not None:
            on_source(number + 1, name)
    return choose_sources(candidates, similarity_table(profiles), config.selection)
