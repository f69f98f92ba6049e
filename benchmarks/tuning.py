"""Tuning: what it gains, and how often its gate is right.

    METAMAPPING_DATA=path/to/data python -m benchmarks.tuning [ENCODER] --sources trec6 snips [--draws 3]

In: sources of `benchmarks/general.yaml`. Out, for each source: the accuracy in closed form, with half and
with all of the change whatever the gate says, and as it decided; how often it tuned, and how often its
decision was right in hindsight, by the accuracy on the queries; seconds of CPU time, as Markdown. With
`--draws-file FILE`, each draw is appended to FILE as a line of JSON, which `benchmarks.tuning_prior` reads.
"""

from __future__ import annotations

import argparse
import json
import os
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from benchmarks.draws import TextRow, draw, read_pools
from benchmarks.fingerprints import data_fingerprint
from benchmarks.markdown_tables import markdown
from benchmarks.real_run import packaged_encoder
from metamapping import Mapping, MetaMapper
from metamapping.adaptation.algebra.likelihood import fit_scale, log_likelihood
from metamapping.adaptation.state_changes import with_features
from metamapping.adaptation.tuning import tuning
from metamapping.adaptation.tuning.tuning_gains import WEIGHTS
from metamapping.adaptation.tuning.tuning_gate import Choice, Evidence, choose
from metamapping.config.loading import read_config
from metamapping.config.sources import Source
from metamapping.publishing.pretrained_model import UntrainedMappingWarning

GENERAL = Path(__file__).with_name("general.yaml")
COLUMNS = ["closed form", "half", "all", "as the gate decided", "tuned", "right", "CPU seconds"]


@dataclass(frozen=True)
class TunedDraw:
    """What one draw has shown.

    Attributes:
        source: Name of the source.
        shots: Examples of each label.
        number: Number of the draw.
        skill: `Evidence.skill`.
        missing: `Evidence.missing`.
        gains: Mean gain in log probability of left-out examples with each share of the change.
        errors: Their standard errors.
        accuracies: On the queries, in percent: in closed form, and with each share of the change.
        query_gains: Gain in the queries' mean log probability with each share, at the scales that suit them.
        decided: The share that the gate chose, 0 for none.
        seconds: CPU seconds of tuning.
    """

    source: str
    shots: int
    number: int
    skill: float
    missing: float
    gains: list[float]
    errors: list[float]
    accuracies: list[float]
    query_gains: list[float]
    decided: float
    seconds: float

    @classmethod
    def of(
        cls,
        evidence: Evidence,
        judged: Sequence[tuple[float, float]],
        *,
        source: str,
        shots: int,
        number: int,
        seconds: float,
    ) -> TunedDraw:
        """What a draw has shown.

        Args:
            evidence: What the gate has seen.
            judged: Accuracy and mean log probability of the queries: in closed form, and with each share.
            source: Name of the source.
            shots: Examples of each label.
            number: Number of the draw.
            seconds: CPU seconds of tuning.
        """
        return cls(
            source=source,
            shots=shots,
            number=number,
            skill=evidence.skill,
            missing=evidence.missing,
            gains=evidence.gains.tolist(),
            errors=evidence.errors.tolist(),
            accuracies=[accuracy for accuracy, _ in judged],
            query_gains=[log_p - judged[0][1] for _, log_p in judged[1:]],
            decided=choose(evidence).weight,
            seconds=seconds,
        )

    @property
    def decided_accuracy(self) -> float:
        """The accuracy of what the gate chose."""
        return self.accuracies[(0.0, *WEIGHTS).index(self.decided)]


def main() -> None:
    """Print the table of "Tuning" in benchmarks/README.md."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--sources", nargs="+", required=True)
    add_options(parser, num_draws=3, num_queries=500)
    options = parser.parse_args()
    os.environ.setdefault("METAMAPPING_ENCODER", packaged_encoder())
    warnings.simplefilter("ignore", UntrainedMappingWarning)
    mapper = MetaMapper.from_pretrained(options.encoder or packaged_encoder(), progress=False)
    sources = {source.name: source for source in read_config(GENERAL).sources}
    chosen = [sources[name] for name in options.sources]
    draws = {
        source.name: measure(mapper, source, options.shots, options.draws, options.queries)
        for source in chosen
    }
    table = measured_table(draws, options.draws_file)
    print(f"\n{options.draws} draws of {options.shots} examples of each label; data", end=" ")
    print(data_fingerprint(file for source in chosen for file in source.files or []), end="\n\n")
    print(table)


def add_options(parser: argparse.ArgumentParser, *, num_draws: int, num_queries: int) -> None:
    """Add the options of the benchmarks of tuning.

    Args:
        parser: The parser of the command.
        num_draws: The default number of draws of each source.
        num_queries: The default largest number of queries of a draw.
    """
    parser.add_argument("encoder", nargs="?", help="published or pretrained encoder; default: MiniLM")
    parser.add_argument("--shots", type=int, default=8)
    parser.add_argument("--draws", type=int, default=num_draws)
    parser.add_argument("--queries", type=int, default=num_queries)
    parser.add_argument("--draws-file", type=Path)


def measured_table(draws_of: dict[str, Iterator[TunedDraw]], draws_file: Path | None) -> str:
    """Measure the draws of all sources, and return a table as Markdown.

    Args:
        draws_of: The draws by source, which are measured as they are taken.
        draws_file: Each draw is appended to it as a line of JSON, once all of its source are measured.
    """
    rows = {}
    for source, measuring in draws_of.items():
        draws = list(measuring)
        if draws_file:
            with draws_file.open("a", encoding="utf-8") as file:
                file.writelines(json.dumps(asdict(each)) + "\n" for each in draws)
        rows[source] = row(draws)
    return markdown(rows, COLUMNS, heading="source")


def measure(
    mapper: MetaMapper, source: Source, shots: int, num_draws: int, num_queries: int
) -> Iterator[TunedDraw]:
    """Tune to draws of a source.

    Args:
        mapper: The encoder.
        source: A source of texts or pairs.
        shots: Examples of each label.
        num_draws: Number of draws.
        num_queries: The largest number of queries of a draw.
    """
    pools = read_pools(source, max_shots=shots, num_draws=num_draws)
    for number in range(num_draws):
        support, queries = draw(pools, number, shots=shots)
        arguments: dict[str, Any] = columns(support) | {"label_names": pools.names}
        labels = [row.label for row in support]
        closed = mapper.adapt(labels=labels, **arguments)
        started = time.process_time()
        with all_of_the_change() as seen:
            tuned = mapper.adapt(labels=labels, tune=True, **arguments)
        seconds = time.process_time() - started
        if not seen:
            raise SystemExit(f"{source.name} {number}: {tuned.tuning}: give more --shots")
        (evidence,) = seen
        mappings = [closed, *(with_share(tuned, each) for each in WEIGHTS)]
        judged = [judge(each, queries[:num_queries]) for each in mappings]
        result = TunedDraw.of(
            evidence, judged, source=source.name, shots=shots, number=number, seconds=seconds
        )
        print(result, flush=True)
        yield result


def row(draws: list[TunedDraw]) -> list[str]:
    """One row of the table."""
    right = [each.decided_accuracy >= each.accuracies[0] for each in draws if each.decided]
    right += [max(each.accuracies) <= each.accuracies[0] for each in draws if not each.decided]
    return [
        *(f"{mean:.1f}" for mean in np.mean([each.accuracies for each in draws], axis=0)),
        f"{np.mean([each.decided_accuracy for each in draws]):.1f}",
        f"{sum(each.decided > 0 for each in draws)} of {len(draws)}",
        f"{sum(right)} of {len(draws)}",
        f"{np.mean([each.seconds for each in draws]):.0f}",
    ]


@contextmanager
def all_of_the_change() -> Iterator[list[Evidence]]:
    """Within the block tasks are tuned by all of the change; yields the evidence that the gate has."""
    seen: list[Evidence] = []

    def all_of_it(evidence: Evidence) -> Choice:
        seen.append(evidence)
        return replace(choose(evidence), weight=1.0)

    with mock.patch.object(tuning, "choose", all_of_it):
        yield seen


def with_share(tuned: Mapping, share: float) -> Mapping:
    """The task with a share of the change of one that has all of it."""
    state, delta = tuned.state, tuned._featurizer.delta
    assert delta is not None
    featurizer = tuned._featurizer.tuned(delta.scaled(share))
    features = featurizer.texts(*state.support.columns)
    return Mapping(
        featurizer, with_features(featurizer, state, features, featurizer.names(list(state.names)))
    )


def judge(mapping: Mapping, rows: list[TextRow]) -> tuple[float, float]:
    """The accuracy in percent, and the mean log probability of the labels at the scale that suits them."""
    state = mapping.state
    slot_of = {label: slot for slot, label in enumerate(state.labels)}
    targets = np.array([slot_of[row.label] for row in rows])
    logits = state.calibration.scale * state.solution.scores(
        mapping._featurizer.texts(*columns(rows).values())
    )
    log_p = log_likelihood(fit_scale(logits, targets, 1.0) * logits, targets)
    return 100 * float((logits.argmax(axis=-1) == targets).mean()), float(log_p.mean())


def columns(rows: list[TextRow]) -> dict[str, Any]:
    """The texts of rows, and their second texts if they have some."""
    pairs = [row.text_pair for row in rows if row.text_pair is not None]
    return {"texts": [row.text for row in rows], "text_pairs": pairs or None}


if __name__ == "__main__":
    main()
