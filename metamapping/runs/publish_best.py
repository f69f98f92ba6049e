"""The publishing stage: the best round of a run becomes its published folder.

folder = publish_stage(run)
"""

from __future__ import annotations

from pathlib import Path

from metamapping.config.schema import RunConfig
from metamapping.errors import ConfigError
from metamapping.models.keras_import import lean_keras
from metamapping.publishing.layout import FORMAT_VERSION, check_published
from metamapping.rounds.settings import AdjustableSettings
from metamapping.runs.folder import RunFolder
from metamapping.runs.int8_gate import measure_int8
from metamapping.runs.lock import exclusive
from metamapping.runs.measuring import Measure, TextsCallback, measure_stage
from metamapping.runs.plots import learning_curve_png
from metamapping.runs.run_page import write_run_page
from metamapping.runs.select_sources import select_stage
from metamapping.runs.session import session_of
from metamapping.runs.tracking import track_run
from metamapping.storage import remote
from metamapping.storage.artifacts import Stage
from metamapping.training import checkpoints


@exclusive
def publish_stage(
    run: RunFolder, *, on_progress: TextsCallback | None = None, measure: Measure | None = None
) -> Path:
    """Publish the best round with its scores on the test sources, which no other stage reads.

    Args:
        run: A run whose last round is judged.
        on_progress: Called with a source's name and the number of texts just encoded.
        measure: Measures the sources. Default: this process, one after another.

    Returns:
        The published folder on this machine.

    Raises:
        ConfigError: The run is not finished.
        StoreError: A checkpoint is damaged, or the folder was published before and is damaged.
    """
    if run.has_published:
        folder = remote.open_folder(run.published)
        check_published(folder)
        return folder
    history = run.read_history()
    if not history or not history[-1].verdict.is_final:
        raise ConfigError(
            f"run {run.run_id} is not finished: {len(history)} of its rounds are judged, and none has ended "
            "it: let it train until the verdict is CONVERGED or EXHAUSTED, then publish it"
        )
    with lean_keras():
        from metamapping.interop.families import family_of
        from metamapping.publishing import published_model
        from metamapping.publishing.model_card import model_card

    config, corpus = run.config, run.corpus
    best = history[-1].verdict.best_round
    cells = measure_stage(run, best, role="test", on_progress=on_progress, measure=measure)
    learner = session_of(run).learner(AdjustableSettings.of(config))
    checkpoints.load_weights(run.checkpoint(best), learner)
    model = published_model.PublishedModel(
        encoder=learner.encoder,
        mapping=learner.mapping,
        tokenizer_folder=corpus.tokenizer.fetch(),
        max_length_tokens=config.encoder.max_length_tokens,
        cleaning=config.cleaning,
    )
    stage = Stage(
        kind="published",
        name=config.name,
        version=FORMAT_VERSION,
        # The files' paths are private to this machine; their bytes are covered by the fingerprints.
        settings=config.model_dump(
            mode="json",
            exclude={"home": True, "engine": True, "tracking": True, "sources": {"__all__": {"files"}}},
        ),
        upstream=corpus.fingerprints,
    )
    family = family_of(learner.encoder.backbone)
    # Without progress, of which the callback counts the test sources alone.
    int8 = measure_int8(run, learner, measure_stage(run, best, role="validation"))
    card = model_card(
        _as_trained(run),
        corpus,
        history,
        cells,
        family=None if family is None else family.model_type,
        int8=int8,
    )
    provenance = published_model.Provenance(stage, cells, card, learning_curve_png(history), int8)
    published_model.write_published(run.published, model, provenance)
    write_run_page(run)
    track_run(run)
    return remote.open_folder(run.published)


def _as_trained(run: RunFolder) -> RunConfig:
    """The configuration without the train sources that were not selected, for the model card."""
    chosen = select_stage(run).chosen
    kept = [each for each in run.config.sources if each.role != "train" or each.name in chosen]
    return run.config.model_copy(update={"sources": kept})
