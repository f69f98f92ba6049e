"""Is any simpler method ahead anywhere? Sources that training has not seen, at several numbers of examples.

    METAMAPPING_DATA=path/to/data python -m benchmarks.dominance [PUBLISHED] [--trained-on CONFIG] [--tune]

In: the test sources of texts and pairs in `benchmarks/general.yaml`, without those of which the configuration
that PUBLISHED was trained on has seen anything. Without PUBLISHED, the untrained MiniLM is measured, on the
sources that `general.yaml` has not seen, so that both can be compared. Every method sees the same examples
and the same queries. Out: accuracies, paired 95 % intervals over draws, wins, ties and losses against the
simpler methods of `benchmarks.simpler`, and every loss by name, as Markdown.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.draws import Pools, TextRow, draw, read_pools, unseen_sources
from benchmarks.encoders import keep_features, untrained_mapper
from benchmarks.fingerprints import data_fingerprint
from benchmarks.markdown_tables import markdown
from benchmarks.paired import (
    Cells,
    compare,
    count_outcomes,
    family_confidence,
    losses,
    mean_gain,
    percent,
    signed_percent,
)
from benchmarks.real_run import packaged_encoder
from benchmarks.simpler import simpler_methods
from metamapping import MetaMapper
from metamapping.config.loading import read_config
from metamapping.config.sources import Source

OURS, NO_NAMES, BASE = "metamapping", "… without label names", "the same on the untrained encoder"
TUNED = "metamapping, tuned"
UNTRAINED = ", untrained encoder"
SHOTS = (1, 4, 8, 16)
GENERAL = Path(__file__).with_name("general.yaml")

Methods = dict[str, Callable[[list[TextRow], list[TextRow]], np.ndarray]]


def main() -> None:
    """Print the tables of "Dominance" in benchmarks/README.md.

    They compare one encoder with simpler methods on its own features and, if it is meta-trained, on those of
    the untrained encoder. Features are computed once for each source, so that a draw costs algebra alone. The
    24 sources take about 40 minutes of CPU time with a published encoder.
    """
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("published", nargs="?", help="folder of a published encoder")
    parser.add_argument("--trained-on", default=GENERAL, help="configuration that it was trained with")
    parser.add_argument("--draws", type=int, default=10)
    parser.add_argument("--shots", type=int, nargs="+", default=SHOTS)
    parser.add_argument("--sources", nargs="+", help="names of sources, instead of all that are unseen")
    parser.add_argument("--tune", action="store_true", help="the tuned encoder is judged too, as another")
    parser.add_argument("--out", type=Path, help="file for the accuracy of every draw, as JSON")
    options = parser.parse_args()
    os.environ.setdefault("METAMAPPING_ENCODER", packaged_encoder())
    started = time.monotonic()
    sources = unseen_sources(read_config(GENERAL), read_config(options.trained_on))
    if options.sources:
        sources = [source for source in sources if source.name in options.sources]
    mappers = [keep_features(untrained_mapper(os.environ["METAMAPPING_ENCODER"]))]
    if options.published:
        mappers.insert(0, keep_features(MetaMapper.from_pretrained(options.published, progress=False)))
    cells: dict[tuple[str, int], dict[str, list[float]]] = {}
    for source in sources:
        cells |= measure_source(source, mappers, options.draws, options.shots, tune=options.tune)
        if options.out:
            options.out.write_text(json.dumps([[*key, cell] for key, cell in cells.items()]))
    data = data_fingerprint(file for source in sources for file in source.files or [])
    print(
        f"\n{len(sources)} sources, {options.draws} draws, {time.monotonic() - started:.0f} s, data {data}\n"
    )
    print(report(cells))


def measure_source(
    source: Source, mappers: list[MetaMapper], num_draws: int, shots: list[int], *, tune: bool = False
) -> dict[tuple[str, int], dict[str, list[float]]]:
    """The accuracies of all methods in each draw, by source and number of examples.

    Args:
        source: The source.
        mappers: The encoder that is judged, and the untrained one if that is another.
        num_draws: Number of draws.
        shots: Numbers of examples of each label.
        tune: Whether the encoder is measured with tuning as well.
    """
    started = time.process_time()
    pools = read_pools(source, max_shots=max(shots), num_draws=num_draws)
    _encode(pools, mappers)
    encoded = time.process_time()
    cells: dict[tuple[str, int], dict[str, list[float]]] = {}
    for k in shots:
        methods = methods_of(mappers, pools.names, tune=tune)
        cell = cells[source.name, k] = {name: [] for name in methods}
        for number in range(num_draws):
            support, queries = draw(pools, number, shots=k)
            truth = np.array([row.label for row in queries])
            for name, predict in methods.items():
                cell[name].append(float((predict(support, queries) == truth).mean()))
    ours = ", ".join(f"{k}: {percent(cell[OURS])}" for (_, k), cell in cells.items())
    print(
        f"{source.name}, {len(pools.names)} labels: {ours}; CPU seconds: encoding {encoded - started:.0f}, "
        f"draws {time.process_time() - encoded:.0f}",
        flush=True,
    )
    return cells


def methods_of(mappers: list[MetaMapper], names: dict[str, str], *, tune: bool = False) -> Methods:
    """All methods by name; each predicts the labels of queries from examples.

    Args:
        mappers: The encoder that is judged, and the untrained one if that is another.
        names: The readable name of each label.
        tune: Whether the encoder is measured with tuning as well.
    """
    # Equal names say nothing: the prior is then the same for all labels.
    methods = {OURS: _adapt(mappers[0], names), NO_NAMES: _adapt(mappers[0], dict.fromkeys(names, "label"))}
    if tune:
        methods[TUNED] = _adapt(mappers[0], names, tune=True)
    if len(mappers) > 1:
        methods[BASE] = _adapt(mappers[1], names)
    for mapper, suffix in zip(mappers, ("", UNTRAINED), strict=False):
        methods |= {name + suffix: _fit(mapper, predict) for name, predict in simpler_methods().items()}
    return methods


def _adapt(
    mapper: MetaMapper, names: dict[str, str], *, tune: bool = False
) -> Callable[[list[TextRow], list[TextRow]], np.ndarray]:
    def predict(support: list[TextRow], queries: list[TextRow]) -> np.ndarray:
        texts, pairs = _columns(support)
        labels = [row.label for row in support]
        mapping = mapper.adapt(texts, labels, text_pairs=pairs, label_names=names, tune=tune)
        texts, pairs = _columns(queries)
        return np.array(mapping.predict(texts, text_pairs=pairs))

    return predict


def _fit(
    mapper: MetaMapper, simpler: Callable[..., np.ndarray]
) -> Callable[[list[TextRow], list[TextRow]], np.ndarray]:
    def predict(support: list[TextRow], queries: list[TextRow]) -> np.ndarray:
        first_views = [_features(mapper, rows)[:, : mapper.featurizer.dim] for rows in (support, queries)]
        return simpler(first_views[0], [row.label for row in support], first_views[1])

    return predict


def report(cells: Cells) -> str:
    """All tables as Markdown."""
    simpler = [name for name in next(iter(cells.values())) if name not in (OURS, NO_NAMES)]
    shots = sorted({k for _, k in cells})
    of_shots = {k: {key: cell for key, cell in cells.items() if key[1] == k} for k in shots}
    by_source: dict[str, list[str]] = {}
    for (source, _), cell in cells.items():
        best = max(simpler, key=lambda name: np.mean(cell[name]))
        gain = compare(cell, OURS, best)
        row = f"{percent(cell[OURS])}, {100 * gain.mean:+.1f} ± {50 * (gain.high - gain.low):.1f}"
        by_source.setdefault(source, []).append(row)
    gains = {
        name: [signed_percent(mean_gain(of_shots[k], OURS, name)) for k in shots]
        for name in [*simpler, NO_NAMES]
    }
    strict = family_confidence(len(cells) * len(simpler))
    counts = {
        name: [_counted(cells, [name]), _counted(cells, [name], strict)] for name in [*simpler, NO_NAMES]
    }
    counts["any of the simpler ones"] = [_counted(cells, simpler), _counted(cells, simpler, strict)]
    columns = ["1 example" if k == 1 else f"{k} examples" for k in shots]
    lost = losses(cells, OURS, simpler) or ["none"]
    names_lost = losses(cells, OURS, [NO_NAMES]) or ["none"]
    return "\n\n".join(
        [
            "Accuracy, and how far ahead of the best simpler method of each cell ± half the 95 % interval",
            markdown(by_source, columns, heading="source"),
            "Mean gain over each method, with 95 % intervals over sources and draws",
            markdown(gains, columns, heading="ahead of"),
            f"Wins, ties, losses of {len(cells)} cells, at 95 % for each cell and for all together",
            markdown(counts, ["each", "together"], heading="against"),
            "Losses beyond noise (* also for all cells together)",
            "\n".join(f"- {line}" for line in lost),
            "Where label names cost beyond noise",
            "\n".join(f"- {line}" for line in names_lost),
        ]
    )


def _counted(cells: Cells, others: list[str], confidence: float = 0.95) -> str:
    counts = count_outcomes(cells, OURS, others, confidence=confidence)
    return f"{counts['win']}, {counts['tie']}, {counts['loss']}"


def _encode(pools: Pools, mappers: list[MetaMapper]) -> None:
    rows = [row for pool in [*pools.support.values(), *pools.queries] for row in pool]
    for mapper in mappers:
        _features(mapper, rows)


def _features(mapper: MetaMapper, rows: list[TextRow]) -> np.ndarray:
    return mapper.featurizer.texts(*_columns(rows))


def _columns(rows: list[TextRow]) -> tuple[list[str], list[str] | None]:
    pairs = [row.text_pair for row in rows if row.text_pair is not None]
    return [row.text for row in rows], pairs or None


if __name__ == "__main__":
    main()
