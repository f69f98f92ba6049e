"""The loop on real data, compared with no adjustment and with one training of equal cost.

    METAMAPPING_DATA=path/to/data python -m benchmarks.loop [--seeds 0 1] [--minutes 60]

In: twenty-five of the sources of ``benchmarks/real_run.yaml``. The encoder is all-MiniLM-L6-v2 with its two
upper layers trained, or a small BERT from scratch (``--encoder scratch``, a twentieth of the arithmetic).
``--rows 200`` keeps 200 rows of each train source, as a team has them that labels its own data;
``--rate-factor 20`` starts from Keras' default learning rate for Adam, 1e-3, as a user may leave it. Out, for
each seed: the test scores of what each run would publish, with paired 95 % intervals; at the end their mean
over the seeds, with an interval over sources and episodes. All of it is Markdown. No seed is started once the
minutes are over; the same command resumes where it stopped.
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
from metamapping.runs.comparison import Comparison, compare_runs
from metamapping.runs.folder import RunFolder
from metamapping.runs.stored_scores import cells_of

LOOP = "loop"

# One or two sources of each kind that is held out. BANKING77 has classes of all three roles.
TRAIN = ("reviews-baby", "reviews-software", "banking77", "tweets-irony", "taxinli", "mentions-ai")
HELD_OUT = (
    *("reviews-outdoor-living", "reviews-jewelry-watches", "tweets-offensive", "mentions-music", "rte"),
    *("reviews-books", "reviews-kitchen-housewares", "snips", "clinc150", "trec6", "tweets-emotion"),
    *("tweets-hate", "snli", "mentions-politics"),
    # Validation sources unlike all train sources.
    *("opinion-phrases", "tweets-stance-atheism", "question-pairs", "mentions-anatomy", "mentions-genetics"),
)

# The encoder's configuration, and its usual learning rate.
ENCODERS: dict[str, tuple[dict[str, Any], float]] = {
    "pretrained": ({"trainable_layers": 2}, 5e-5),
    "scratch": ({"preset": None, "scratch": {"vocabulary_size": 8_000}}, 5e-4),
}


def main() -> None:
    """Print the tables of "The loop, compared with …" in benchmarks/README.md, for each seed and their mean.

    They compare three runs of one configuration: the loop with all moves; the loop without any move; and one
    round of as many meta-steps as the loop took in all. With the options that the README names, one seed
    takes 35 to 45 minutes on two cores.
    """
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    add_options(parser)
    parser.add_argument("--max-rounds", type=int, default=8)
    parser.add_argument("--rows", type=int, help="rows of each train source, shared equally by its labels")
    options = parser.parse_args()
    ends_at = time.monotonic() + 60 * options.minutes
    runs_of_seeds: list[dict[str, RunFolder]] = []
    for seed in options.seeds:
        if time.monotonic() > ends_at:
            print(f"\nThe {options.minutes:g} minutes are over: seed {seed} and later ones are left out.")
            break
        runs_of_seeds.append(run_all_three(options, seed))
        print(f"\n## Seed {seed}\n\n{seed_markdown(runs_of_seeds[-1])}", flush=True)
    if len(runs_of_seeds) > 1:
        print(f"\n## Mean of {len(runs_of_seeds)} seeds\n\n{mean_markdown(runs_of_seeds)}", flush=True)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of every benchmark that compares whole runs."""
    parser.add_argument("--home", default=".metamapping", help="folder for prepared data and runs")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0], help="seeds; each has runs of its own")
    parser.add_argument("--minutes", type=float, default=60.0, help="start no further seed after this time")
    parser.add_argument("--meta-steps", type=int, default=60, help="meta-steps per round")
    parser.add_argument("--encoder", choices=list(ENCODERS), default="pretrained")
    parser.add_argument("--rate-factor", type=float, default=1.0, help="factor for the usual learning rate")


def run_all_three(options: argparse.Namespace, seed: int) -> dict[str, RunFolder]:
    """Run the loop, the same without adjustment, and one training of equal cost, for one seed."""
    sections = {"convergence": {"max_rounds": options.max_rounds}}
    config = build_config("loop", TRAIN + HELD_OUT, options, seed=seed, **sections)
    if options.rows is not None:
        folder = Path(options.home) / f"{options.rows}-rows"
        sources = [with_fewer_rows(source, options.rows, folder) for source in config.sources]
        config = with_sections(config, sources=sources)
    loop = run_flow(config)
    alone = run_flow(with_sections(config, adjustment={"moves": []}))
    training = {**config.training.model_dump(), "meta_steps": num_steps(loop)}
    once = run_flow(with_sections(config, training=training, convergence={"max_rounds": 1}))
    return {LOOP: loop, "no adjustment": alone, "one training of equal steps": once}


def seed_markdown(runs: dict[str, RunFolder]) -> str:
    """The loop's rounds for one seed, and its scores compared with those of the other two runs."""
    loop, history = runs[LOOP], runs[LOOP].read_history()
    parts = [
        f"The loop took {len(history)} rounds with {num_steps(loop)} meta-steps in all; its last verdict is "
        f"{history[-1].verdict.state}.",
        rounds_markdown(history),
        scores_markdown({name: run for name, run in runs.items() if name != LOOP}, loop, LOOP),
    ]
    return "\n\n".join(parts)


def num_steps(run: RunFolder) -> int:
    """Number of meta-steps in all rounds of a run."""
    return sum(judged.report.training.meta_steps for judged in run.read_history())


def mean_markdown(runs_of_seeds: Sequence[dict[str, RunFolder]]) -> str:
    """Mean test scores over the seeds of what each run published, and the loop's gain over each.

    The bootstrap treats each seed as another cell of its source. The differences are paired, because runs of
    the same seed are evaluated on the same episodes.
    """
    rows = []
    for name in runs_of_seeds[0]:
        means: list[float] = []
        differences: dict[str, list[np.ndarray]] = {}
        for runs in runs_of_seeds:
            ours, theirs = cells_of(runs[LOOP], "test"), cells_of(runs[name], "test")
            means += [float(np.mean(cell.scores)) for cell in theirs.values()]
            for key, cell in ours.items():
                difference = np.subtract(cell.scores, theirs[key].scores)
                differences.setdefault(cell.source, []).append(difference)
        gain = "" if name == LOOP else bootstrap_mean(list(differences.values())).signed
        rows.append([name, f"{np.mean(means):.3f}", gain])
    return markdown_table(["run", "test accuracy", "gain of the loop"], rows)


def build_config(
    name: str, names: Sequence[str], options: argparse.Namespace, *, seed: int, **sections: Any
) -> RunConfig:
    """A configuration with the named sources of ``real_run.yaml`` and short rounds.

    Args:
        name: The name of the run.
        names: The sources to keep.
        options: What ``add_options`` adds to a parser, parsed.
        seed: The seed of the run.
        **sections: Further sections of the configuration.
    """
    os.environ.setdefault("METAMAPPING_ENCODER", packaged_encoder())
    config = read_config(Path(__file__).with_name("real_run.yaml")).at_home(options.home)
    encoder, rate = ENCODERS[options.encoder]
    kept = [source.model_dump() for source in config.sources if source.name in names]
    # The real run trains on some classes of CLINC150; here all of them are held out.
    kept = [k | {"label_roles": None, "role": "test"} if k["name"] == "clinc150" else k for k in kept]
    return with_sections(
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
    """Write a train source's first rows of each label to a file, and return the settings to read it.

    Rows of labels that are not trained on are kept. A source with another role is left unchanged.
    """
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
    # Typed mentions are pairs although no column is configured for their second text.
    is_pair = rows[0].text_pair is not None
    columns = {"text": "text", "label": "label"} | ({"text_pair": "pair"} if is_pair else {})
    return {**settings, "files": [str(path)], "format": "jsonl", "header": True, "columns": columns}


def with_sections(config: RunConfig, **sections: Any) -> RunConfig:
    """The configuration with some sections replaced, validated again."""
    return RunConfig.model_validate({**config.model_dump(), **sections})


def scores_markdown(others: dict[str, RunFolder], run: RunFolder, name: str, role: Role = "test") -> str:
    """A table of a run's scores on the held-out sources of a role, and of its gain over other runs.

    Args:
        others: The runs to compare with, by name.
        run: The run that is compared.
        name: The column heading for ``run``.
        role: The role of the held-out sources.
    """
    comparisons = {other: compare_runs(folder, run) for other, folder in others.items()}
    rows = []
    for row in next(iter(comparisons.values())).measured:
        if row.role == role:
            found = [_row(comparison, role, row.what) for comparison in comparisons.values()]
            rows.append([row.what, f"{row.second:.3f}", *(cell for cells in found for cell in cells)])
    columns = [column for other in others for column in (other, "difference")]
    return markdown_table([f"{role} sources", name, *columns], rows)


def _row(comparison: Comparison, role: Role, what: str) -> tuple[str, str]:
    row = next(each for each in comparison.measured if (each.role, each.what) == (role, what))
    return f"{row.first:.3f}", row.difference.signed


if __name__ == "__main__":
    main()
