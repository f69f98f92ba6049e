"""Meta-mapping pre-training, from raw sources to a published encoder.

``python -m flows.meta_pretraining CONFIG.yaml`` runs it with an embedded Prefect server. The same command
again resumes where the last one stopped. ``--help`` lists what a configuration can set.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from prefect import flow, runtime

from flows.adjust_round import adjust_round
from flows.approval import promotion_state
from flows.evaluate_round import evaluate_round
from flows.outcomes import published_state, unchanged_state
from flows.prepare_corpus import prepare_corpus
from flows.publish import publish
from flows.run_names import add_outcome, add_tag, name_run
from flows.select_sources import select_sources
from flows.state_watchdog import keep_cancelled, watch_state
from flows.subflows import run_stage, unlinked
from flows.train_round import train_round
from metamapping.config.schema import RunConfig
from tasks.summary import show_run
from tasks.train import open_training_run


@flow(
    name="meta-pretraining",
    flow_run_name=name_run("meta-pretrain {config.name}"),
    persist_result=True,
    result_serializer="json",
    on_running=[watch_state],
    on_crashed=[keep_cancelled],
    on_completion=[add_outcome],
)
def meta_pretraining(config: RunConfig) -> str:
    """Prepare the corpus, select sources, train rounds until the verdict is final, publish the best one.

    Args:
        config: The whole run: its sources, the encoder to start from, how to train and when to stop.
    """
    corpus = run_stage(prepare_corpus, "prepare", config=config)
    run_id = open_training_run(config, corpus)
    run: dict[str, Any] = {"run_id": unlinked(run_id), "home": config.home}
    add_tag(UUID(runtime.flow_run.id), f"run:{run_id}")
    if (unchanged := unchanged_state(config.home, run_id)) is not None:
        show_run(**run)
        return unchanged
    show_run(**run)
    before = run_id
    if config.selection.mode != "all":
        before = run_stage(select_sources, "select", after=run_id, **run)
    for number in range(1, config.convergence.max_rounds + 1):
        trained = run_stage(train_round, f"train round {number}", after=before, round=number, **run)
        report = run_stage(evaluate_round, f"evaluate round {number}", after=trained, round=number, **run)
        before = run_stage(adjust_round, f"adjust round {number}", after=report, round=number, **run)
        show_run(**run)
        if before["is_final"]:
            break
    published: str = run_stage(publish, "publish", after=before, **run)
    show_run(**run)
    if config.promotion.mode != "never":
        return promotion_state(config, run["run_id"], published)
    return published_state(config.home, run_id, published)


if __name__ == "__main__":
    from flows.cli import main

    raise SystemExit(main(meta_pretraining))
