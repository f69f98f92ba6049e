"""Meta-mapping pre-training, from raw sources to a published encoder.

``python -m flows.meta_pretraining CONFIG.yaml`` runs it with an embedded Prefect; the same command
again goes on where the last one stopped. ``--help`` says what a configuration can set.
"""

from __future__ import annotations

from prefect import flow

from flows.adjust_round import adjust_round
from flows.evaluate_round import evaluate_round
from flows.prepare_corpus import prepare_corpus
from flows.publish import publish
from flows.train_round import train_round
from metamapping.config import RunConfig
from tasks.train import open_training_run


@flow(name="meta-pretraining", flow_run_name="meta-pretrain {config.name}")
def meta_pretraining(config: RunConfig) -> str:
    """Prepare the corpus, train rounds until the verdict is final, publish the best one."""
    corpus = prepare_corpus(config)
    run_id = open_training_run(config, corpus)
    for round in range(1, config.convergence.max_rounds + 1):
        train_round(run_id, round, config.home)
        evaluate_round(run_id, round, config.home)
        verdict = adjust_round(run_id, round, config.home)
        if verdict["is_final"]:
            break
    return publish(run_id, config.home)


if __name__ == "__main__":
    from flows.command import main

    raise SystemExit(main(meta_pretraining))
