"""Intents: the published class splits of BANKING77 and CLINC150, with one and five shots.

    METAMAPPING_DATA=path/to/data python -m benchmarks.intents banking77 [--splits 1 2 3 4 5] [--also OTHER]

In: the data and its class splits. For each split the encoder is meta-trained on the classes under `train`
and on all classes of the data set given by `--also`; the round is chosen on the classes under `valid`, and
the test classes are used once: 600 episodes, 5 ways, 5 queries for each label. Out: mean accuracy over the
splits with 95 % intervals, as Markdown.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path

import numpy as np

from benchmarks.ablations import METHODS, Encoded, predict_by_method, read_learner
from benchmarks.markdown_tables import markdown
from benchmarks.real_run import packaged_encoder, run_flow
from metamapping.adaptation.evaluation.evaluation import draw_episodes
from metamapping.config.loading import parse_config
from metamapping.config.schema import RunConfig
from metamapping.runs.folder import RunFolder
from metamapping.runs.label_spaces import read_spaces

SHOTS = (1, 5)
DATASETS = ("banking77", "clinc150")


def main() -> None:
    """Print one data set's columns of "Intents: the published class splits" in benchmarks/README.md.

    They compare the meta-trained encoder with itself without single parts and with the untrained encoder; the
    published figures in that table are copied from the paper. Meta-training takes 85 to 137 seconds for each
    split on two busy cores. The same command resumes an interrupted run.
    """
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("dataset", choices=DATASETS)
    parser.add_argument("--also", choices=DATASETS, help="another data set to train on, with all its classes")
    parser.add_argument("--splits", nargs="+", type=int, default=[1, 2, 3, 4, 5])
    parser.add_argument("--home", default=".metamapping", help="folder for prepared data and runs")
    options = parser.parse_args()
    results, fingerprints = [], []
    for split in options.splits:
        started = time.monotonic()
        run = run_flow(split_config(options.dataset, split, options.home, also=options.also))
        results.append(accuracies(run))
        fingerprints.append(run.corpus.tokens[0].fingerprint)
        seconds = sum(judged.report.training.seconds for judged in run.read_history())
        print(f"split {split}: {time.monotonic() - started:.0f} s, {seconds:.0f} s of it meta-training")
    rows = {}
    for method in METHODS:
        cells = [np.asarray([result[method, shots] for result in results]) for shots in SHOTS]
        rows[method] = [f"{100 * cell.mean():.1f} ± {_half_interval(cell):.1f}" for cell in cells]
    data = ", ".join(sorted(set(fingerprints)))
    also = f", also trained on {options.also}" if options.also else ""
    print(f"\n{options.dataset}{also}, mean accuracy of splits {options.splits}, data {data}\n")
    print(markdown(rows, ["1 shot" if shots == 1 else f"{shots} shots" for shots in SHOTS]))


def split_config(dataset: str, split: int, home: str, *, also: str | None = None) -> RunConfig:
    """The configuration for one split of the classes, and for all classes of ``also``."""
    folder = Path(os.environ["METAMAPPING_DATA"]) / "text-classification"
    classes = folder / "class-splits" / dataset / str(split)
    roles = {"train": "train", "validation": "valid", "test": "test"}
    label_roles = {role: str(classes / f"{name}.txt") for role, name in roles.items()}
    sources = [
        {"name": name, "task_type": "text-classification", "files": [str(folder / f"{name}.jsonl")], **role}
        for name, role in ((dataset, {"label_roles": label_roles}), (also, {"role": "train"}))
        if name is not None
    ]
    settings = {
        "name": f"{dataset}-{split}",
        "home": home,
        "sources": sources,
        "encoder": {"preset": os.environ.get("METAMAPPING_ENCODER") or packaged_encoder()},
        "episodes": {"max_ways": 16},
        "training": {"meta_steps": 60, "learning_rate": 3e-5, "checkpoint_every_steps": 60},
        "evaluation": {
            "ways": 5,
            "shots": list(SHOTS),
            "num_queries": 5,
            "num_episodes": 600,
            "max_texts": 2_000,
        },
        "convergence": {"max_rounds": 2, "min_rounds": 2},
        "adjustment": {"moves": []},
    }
    return parse_config(settings)


def accuracies(run: RunFolder) -> dict[tuple[str, int], float]:
    """Mean accuracy over the test episodes, between 0 and 1, by method and number of shots."""
    best = run.read_history()[-1].verdict.best_round
    learners = [read_learner(run, round) for round in (0, best)]
    (space,) = read_spaces(run.config, run.corpus, "test")
    untrained, trained = (Encoded.of(learner, space) for learner in learners)
    hits: dict[tuple[str, int], list[float]] = {}
    for shots, episodes in draw_episodes(space, run.config.evaluation, seed=run.config.seed).items():
        for episode in episodes:
            support, query = (
                np.searchsorted(episode.labels, space.label_of[rows])
                for rows in (episode.support, episode.query)
            )
            predictions = predict_by_method(
                untrained,
                trained,
                labels=episode.labels,
                support=episode.support,
                targets=support,
                queries=episode.query,
            )
            for method, slots in predictions.items():
                hits.setdefault((method, shots), []).append(float((slots == query).mean()))
    return {key: float(np.mean(values)) for key, values in hits.items()}


def _half_interval(values: np.ndarray) -> float:
    """Half the 95 % interval of the mean over splits, from Student's t distribution, in percent."""
    from scipy.stats import t

    if len(values) < 2:
        return float("nan")
    return float(100 * t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values)))


if __name__ == "__main__":
    main()
