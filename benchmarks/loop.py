"""The loop on real data: against no adjustment, and against one training of equal cost.

    METAMAPPING_DATA=path/to/data python -m benchmarks.loop [--seeds 0 1] [--minutes 60]

Twenty-five of the sources of ``benchmarks/real_run.yaml``; all-MiniLM-L6-v2 with its two upper layers
trained, or a small BERT from scratch (``--encoder scratch``, a twentieth of the arithmetic); with
``--rows 200`` as teams have them who labelled 200 rows of each train source; with ``--rate-factor 20`` as
somebody would meet it who left Keras' own learning rate for Adam, 1e-3. For each seed three runs of one
configuration: with all moves, without any, and one round of as many meta-steps as the first run took.
Printed, as Markdown, are the held-out sources' scores of what each would publish, with paired 95 %
intervals; at the end their mean over the seeds, with an interval over sources and episodes. No seed is
begun once the minutes are over; the same command goes on where it stopped.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.real_run import packaged_encoder, run_flow
from metamapping.config.loading import read_config
from metamapping.config.schema import RunConfig
from metamapping.config.sources import Role, Source
from metamapping.corpus.records import read_rows
from metamapping.rounds.intervals import bootstrap_mean
from metamapping.rounds.tables import markdown_table, rounds_markdown
from metamapping.runs.comparison import Comparison, cells_of, compare_runs
from metamapping.runs.folder import RunFolder

LOOP = "loop"

# Of each kind that is held out; BANKING77 has classes of each role.
TRAIN = ("reviews-baby", "reviews-software", "banking77", "tweets-irony", "taxinli", "mentions-ai")
HELD_OUT = (
    *("reviews-outdoor-living", "reviews-jewelry-watches", "tweets-offensive", "mentions-music", "rte"),
    *("reviews-books", "reviews-kitchen-housewares", "snips", "clinc150", "trec6", "tweets-emotion"),
    *("tweets-hate", "snli", "mentions-politics"),
    # Unlike all of the train sources.
    *("opinion-phrases", "tweets-stance-atheism", "question-pairs", "mentions-anatomy", "mentions-genetics"),
)

# What is trained, and its learning rate.
ENCODERS: dict[str, tuple[dict[str, Any], float]] = {
    "pretrained": ({"trainable_layers": 2}, 5e-5),
    "scratch": ({"preset": None, "scratch": {"vocabulary_size": 8_000}}, 5e-4),
}


def main() -> None:
    """Run the benchmark and print its tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    add_options(parser)
    parser.add_argument("--max-rounds", type=int, default=8)
    parser.add_argument("--rows", type=int, help="of each train source, evenly of its labels")
    options = parser.parse_args()
    ends_at = time.monotonic() + 60 * options.minutes
    of_seeds: list[dict[str, RunFolder]] = []
    for seed in options.seeds:
        if time.monotonic() > ends_at:
            print(f"\nThe {options.minutes:g} minutes are over: seeds from {seed} on are left out.")
            break
        of_seeds.append(three_runs(options, seed))
        print(f"\n## Seed {seed}\n\n{compared(of_seeds[-1])}", flush=True)
    if len(of_seeds) > 1:
        print(f"\n## The mean of {len(of_seeds)} seeds\n\n{over_seeds(of_seeds)}", flush=True)


def add_options(parser: argparse.ArgumentParser) -> None:
    """What every benchmark of whole runs can be told."""
    parser.add_argument("--home", default=".metamapping", help="folder of the store and the runs")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0], help="one set of runs for each")
    parser.add_argument("--minutes", type=float, default=60.0, help="begin no seed after these")
    parser.add_argument("--meta-steps", type=int, default=60, help="of a round")
    parser.add_argument("--encoder", choices=list(ENCODERS), default="pretrained")
    parser.add_argument("--rate-factor", type=float, default=1.0, help="times the usual learning rate")


def three_runs(options: argparse.Namespace, seed: int) -> dict[str, RunFolder]:
    """The runs of a seed: the loop, and the other two."""
    sections = {"convergence": {"max_rounds": options.max_rounds}}
    config = configured("loop", TRAIN + HELD_OUT, options, seed=seed, **sections)
    if options.rows is not None:
        folder = Path(options.home) / f"{options.rows}-rows"
        config = changed(config, sources=[with_fewer_rows(s, options.rows, folder) for s in config.sources])
    loop = run_flow(config)
    alone = run_flow(changed(config, adjustment={"moves": []}))
    training = {**config.training.model_dump(), "meta_steps": num_steps(loop)}
    once = run_flow(changed(config, training=training, convergence={"max_rounds": 1}))
    return {LOOP: loop, "no adjustment": alone, "one training of equal steps": once}


def compared(runs: dict[str, RunFolder]) -> str:
    """The rounds of the loop of one seed, and its scores beside the other two."""
    loop, history = runs[LOOP], runs[LOOP].read_history()
    parts = [
        f"The loop took {len(history)} rounds of {num_steps(loop)} meta-steps in all and ended "
        f"{history[-1].verdict.state}.",
        rounds_markdown(history),
        scores({name: run for name, run in runs.items() if name != LOOP}, loop, LOOP),
    ]
    return "\n\n".join(parts)


def num_steps(run: RunFolder) -> int:
    """Meta-steps of all rounds of a run."""
    return sum(judged.report.training.meta_steps for judged in run.read_history())


def over_seeds(of_seeds: Sequence[dict[str, RunFolder]]) -> str:
    """Test scores of what each run published, and how far the loop is above: the mean of the seeds.

    Of every source each seed is one more cell; runs of one seed met the same episodes.
    """
    rows = []
    for name in of_seeds[0]:
        scored: list[float] = []
        differences: dict[str, list[np.ndarray]] = {}
        for runs in of_seeds:
            ours, theirs = cells_of(runs[LOOP], "test"), cells_of(runs[name], "test")
            scored += [float(np.mean(cell.scores)) for cell in theirs.values()]
            for key, cell in ours.items():
                difference = np.subtract(cell.scores, theirs[key].scores)
                differences.setdefault(cell.source, []).append(difference)
        less = "" if name == LOOP else bootstrap_mean(list(differences.values())).signed
        rows.append([name, f"{np.mean(scored):.3f}", less])
    return markdown_table(["run", "test accuracy", "the loop less that"], rows)


def configured(
    name: str, names: Sequence[str], options: argparse.Namespace, *, seed: int, **sections: Any
) -> RunConfig:
    """Some of the sources of ``real_run.yaml``, with short rounds."""
    os.environ.setdefault("METAMAPPING_ENCODER", packaged_encoder())
    config = read_config(Path(__file__).with_name("real_run.yaml")).at_home(options.home)
    encoder, rate = ENCODERS[options.encoder]
    kept = [source.model_dump() for source in config.sources if source.name in names]
    # The real run trains on some classes of CLINC150; here all of them are held out.
    kept = [k | {"label_roles": None, "role": "test"} if k["name"] == "clinc150" else k for k in kept]
    return changed(
        config,
        name=name,
        seed=seed,
        sources=kept,
        encoder={**config.encoder.model_dump(), "max_length_tokens": 64, **encoder},
        training={
            "meta_steps": options.meta_steps,
            "learning_rate": options.rate_factor * rate,
            "checkpoint_every_steps": 50,
        },
        evaluation={"shots": [1, 4], "num_queries": 10, "num_episodes": 40, "max_texts": 400},
        **sections,
    )


def with_fewer_rows(source: Source, num_rows: int, folder: Path) -> dict[str, Any]:
    """A source with no more rows than these to train on, the first of each label, in a file of its own."""
    settings = source.model_dump()
    if "train" not in source.roles:
        return settings
    rows = list(read_rows(source))
    labels = source.label_roles["train"] if source.label_roles else {row.label for row in rows}
    seen: Counter[str] = Counter()
    path = folder / f"{source.name}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8") as file:
        for row in rows:
            seen[row.label] += 1
            if row.label not in labels or seen[row.label] <= max(1, num_rows // len(labels)):
                file.write(json.dumps({"text": row.text, "pair": row.text_pair, "label": row.label}) + "\n")
    is_pair = rows[0].text_pair is not None  # typed mentions are, without a column that says so
    columns = {"text": "text", "label": "label"} | ({"text_pair": "pair"} if is_pair else {})
    return {**settings, "files": [str(path)], "format": "jsonl", "header": True, "columns": columns}


def changed(config: RunConfig, **sections: Any) -> RunConfig:
    """The configuration with other sections, checked again."""
    return RunConfig.model_validate({**config.model_dump(), **sections})


def scores(others: dict[str, RunFolder], run: RunFolder, name: str, role: Role = "test") -> str:
    """On the held-out sources of a role: ``run`` and how far it is above each of the others."""
    comparisons = {other: compare_runs(folder, run) for other, folder in others.items()}
    rows = []
    for row in next(iter(comparisons.values())).measured:
        if row.role == role:
            found = [_row(comparison, role, row.what) for comparison in comparisons.values()]
            rows.append([row.what, f"{row.second:.3f}", *(cell for cells in found for cell in cells)])
    columns = [column for other in others for column in (other, f"{name} less that")]
    return markdown_table([f"{role} sources", name, *columns], rows)


def _row(comparison: Comparison, role: Role, what: str) -> tuple[str, str]:
    row = next(each for each in comparison.measured if (each.role, each.what) == (role, what))
    return f"{row.first:.3f}", row.difference.signed


if __name__ == "__main__":
    main()
