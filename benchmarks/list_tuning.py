"""Tuning where a text has any number of labels: what it gains, and what its gate decides.

    METAMAPPING_DATA=path/to/data python -m benchmarks.list_tuning --sources emotions-a topics-stackoverflow

In: tasks of `benchmarks.label_list_tasks`, of train and validation sources alone. Out, for each source:
macro-F1 in percent in closed form, with half and with all of the change whatever the gate says, and as it
decided, as Markdown. With `--draws-file FILE`, each draw is appended to FILE as a line of JSON, from which
`benchmarks.tuning_prior` fits the prior of the gate.
"""

from __future__ import annotations

import argparse
import os
import time
import warnings
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from benchmarks.fingerprints import data_fingerprint
from benchmarks.label_list_tasks import NAMES, Pool, draw_task, files_of, read_pool
from benchmarks.multi_label import f1_scores
from benchmarks.real_run import packaged_encoder
from benchmarks.tuning import TunedDraw, add_options, all_of_the_change, measured_table
from metamapping import Mapping, MetaMapper
from metamapping.adaptation.multi_label.label_sigmoids import shared_log_likelihoods
from metamapping.adaptation.multi_label.multi_label_state import MultiLabelState
from metamapping.adaptation.tuning.list_tuning import ListEvidence, with_list_features
from metamapping.adaptation.tuning.tuning_gains import WEIGHTS
from metamapping.publishing.pretrained_model import UntrainedMappingWarning


def main() -> None:
    """Print the table of "Several labels a text" in docs/experiments/tuning.md."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--sources", nargs="+", default=list(NAMES), choices=NAMES)
    add_options(parser, num_draws=1, num_queries=300)
    options = parser.parse_args()
    warnings.simplefilter("ignore", UntrainedMappingWarning)
    mapper = MetaMapper.from_pretrained(options.encoder or packaged_encoder(), progress=False)
    draws = {
        source: measure(mapper, source, options.shots, options.draws, options.queries)
        for source in options.sources
    }
    table = measured_table(draws, options.draws_file)
    print(f"\n{options.draws} draws of {options.shots} examples of each label; macro-F1; data", end=" ")
    print(data_fingerprint(file for source in options.sources for file in files_of(source)), end="\n\n")
    print(table)


def measure(
    mapper: MetaMapper, source: str, shots: int, num_draws: int, num_queries: int
) -> Iterator[TunedDraw]:
    """Tune to draws of a source.

    Args:
        mapper: The encoder.
        source: Its name.
        shots: Examples of each label.
        num_draws: Number of draws.
        num_queries: The largest number of queries of a draw.
    """
    pool = read_pool(source)
    for number in range(num_draws):
        yield tuned_draw(mapper, source, pool, shots, number, num_queries)


def tuned_draw(
    mapper: MetaMapper, source: str, pool: Pool, shots: int, number: int, num_queries: int
) -> TunedDraw:
    """Tune to a draw of a source.

    Args:
        mapper: The encoder.
        source: Its name.
        pool: Its rows.
        shots: Examples of each label.
        number: Number of the draw.
        num_queries: The largest number of queries.
    """
    support, queries = draw_task(pool, shots=shots, number=number)
    queries = queries[:num_queries]
    texts, labels = [pool.texts[i] for i in support], pool.lists(support)
    closed = mapper.adapt(texts, labels, multi_label=True)
    started = time.process_time()
    with all_of_the_change() as seen:
        tuned = mapper.adapt(texts, labels, multi_label=True, tune=True)
    seconds = time.process_time() - started
    (evidence,) = seen
    assert isinstance(evidence, ListEvidence)
    judged = [judge(closed, pool, queries)]
    judged += [judge(with_share(tuned, evidence, each), pool, queries) for each in WEIGHTS]
    figures = [(f1, log_p) for f1, log_p, _ in judged]
    result = TunedDraw.of(evidence, figures, source=source, shots=shots, number=number, seconds=seconds)
    print(result, "own log p", [round(own, 3) for _, _, own in judged], flush=True)
    return result


def with_share(tuned: Mapping, evidence: ListEvidence, share: float) -> Mapping:
    """The task with a share of the change of one that has all of it."""
    state, delta = tuned.state, tuned.featurizer.delta
    assert isinstance(state, MultiLabelState)
    assert delta is not None
    featurizer = tuned.featurizer.tuned(delta.scaled(share))
    features, names = featurizer.texts(*state.support.columns), featurizer.names(list(state.names))
    state = replace(state, decisions=evidence.decisions_of(share))
    return type(tuned)(featurizer, with_list_features(featurizer, state, features, names))


def judge(mapping: Mapping, pool: Pool, rows: np.ndarray) -> tuple[float, float, float]:
    """Macro-F1 in percent; the log probability of a text's labels at the sigmoid that suits them; its own."""
    state = mapping.state
    assert isinstance(state, MultiLabelState)
    has = np.stack([pool.has[rows, pool.labels.index(str(label))] for label in state.labels], axis=1)
    scores = state.solution.scores(mapping.featurizer.texts([pool.texts[i] for i in rows]))
    probabilities = state.decisions.probabilities(scores)
    f1, _ = f1_scores(has, state.decisions.chosen(probabilities))
    log_p = shared_log_likelihoods(scores, has, inverse_temperature=state.calibration.scale)
    own = np.log(np.clip(np.where(has, probabilities, 1 - probabilities), 1e-6, 1)).sum(axis=1)
    return 100 * f1, float(log_p.mean()), float(own.mean())


if __name__ == "__main__":
    assert os.environ.get("METAMAPPING_DATA"), "set METAMAPPING_DATA to the folder of the data"
    main()
