"""Sentiment of Amazon reviews (ARSC): 12 tasks of four held-out domains, five examples of each label.

    METAMAPPING_DATA=path/to/data python -m benchmarks.arsc

In: the published files of ARSC. The encoder is meta-trained on the other domains (music and video have no
training file), each as three tasks, one for each threshold of stars. In the four held-out domains, `.train`
is the support and `.test` the queries; their `.dev` is not used. Out: mean accuracy and macro-F1 of the 12
tasks, as Markdown.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import numpy as np
from sklearn.metrics import f1_score

from benchmarks.ablations import METHODS, Encoded, predict_by_method, read_learner
from benchmarks.fingerprints import fingerprint_of_tests
from benchmarks.markdown_tables import markdown
from benchmarks.real_run import packaged_encoder, run_flow
from metamapping.config.loading import parse_config
from metamapping.config.schema import RunConfig
from metamapping.runs.folder import RunFolder
from metamapping.runs.label_spaces import read_spaces

HELD_OUT = ("books", "dvd", "electronics", "kitchen_housewares")
VALIDATION = ("jewelry_watches", "outdoor_living")
WITHOUT_TRAIN_FILE = ("music", "video")
# What 1 and -1 mean: more than two stars or at most two; four or five stars or fewer; five stars or fewer.
THRESHOLDS = {
    "t2": {"1": "acceptable", "-1": "terrible"},
    "t4": {"1": "good", "-1": "disappointing"},
    "t5": {"1": "perfect", "-1": "not perfect"},
}


def main() -> None:
    """Print the table of "Sentiment: ARSC" in benchmarks/README.md.

    It compares the meta-trained encoder with itself without single parts, with the untrained encoder and with
    always predicting the more frequent label. Three rounds of 300 steps take 41 minutes of meta-training on
    two busy cores. The same command resumes an interrupted run.
    """
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--home", default=".metamapping", help="folder for prepared data and runs")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    run = run_flow(arsc_config(options.home, options.seed))
    results = results_of(run)
    history = run.read_history()
    seconds = sum(judged.report.training.seconds for judged in history)
    best = history[-1].verdict.best_round
    print(f"run {run.run_id}, round {best} of {len(history)}, {seconds / 60:.0f} minutes of meta-training")
    print(f"data {fingerprint_of_tests(run)}\n")
    rows = {
        method: [f"{100 * np.mean([each[method][i] for each in results.values()]):.1f}" for i in (0, 1)]
        for method in (*METHODS, "the more frequent label")
    }
    print(markdown(rows, ["mean accuracy", "mean macro-F1"]))
    by_task = (f"{task} {100 * each[METHODS[0]][0]:.1f}" for task, each in results.items())
    print("\nMeta-trained, by task:", ", ".join(by_task))


def arsc_config(home: str, seed: int) -> RunConfig:
    """Meta-training on every domain that is not held out."""
    folder = Path(os.environ["METAMAPPING_DATA"]) / "sentiment-analysis" / "arsc"
    domains = sorted({path.name.split(".")[0] for path in folder.iterdir()})
    sources = []
    for domain in domains:
        for threshold, names in THRESHOLDS.items():
            common = {
                "task_type": "sentiment-analysis",
                "format": "tsv",
                "header": False,
                "encoding": "utf-8",
                "label_names": names,
            }
            files = {"train": ["train"]}
            if domain in HELD_OUT:
                files = {"test": ["train", "test"]}
            elif domain in VALIDATION:
                files = {"validation": ["train", "dev", "test"]}
            elif domain in WITHOUT_TRAIN_FILE:
                continue
            for role, parts in files.items():
                # The published protocol evaluates on every row of the test files.
                sources.append(
                    common
                    | {
                        "name": f"{domain}-{threshold}",
                        "role": role,
                        "files": [str(folder / f"{domain}.{threshold}.{part}") for part in parts],
                        "keep_all": role == "test",
                    }
                )
    settings = {
        "name": "arsc",
        "home": home,
        "seed": seed,
        "sources": sources,
        "encoder": {
            "preset": os.environ.get("METAMAPPING_ENCODER") or packaged_encoder(),
            "max_length_tokens": 256,
        },
        "duplicates": {"near": False},
        "episodes": {"num_texts": 48},
        "training": {"meta_steps": 300, "learning_rate": 5e-5, "checkpoint_every_steps": 50},
        "evaluation": {"ways": 2, "shots": [0, 5], "num_queries": 10, "num_episodes": 60, "max_texts": 600},
        "convergence": {"max_rounds": 3, "min_rounds": 3},
        "adjustment": {"moves": []},
    }
    return parse_config(settings)


def results_of(run: RunFolder) -> dict[str, dict[str, tuple[float, float]]]:
    """Accuracy and macro-F1 of each method on each of the 12 tasks, by the name of the task."""
    best = run.read_history()[-1].verdict.best_round
    learners = [read_learner(run, round) for round in (0, best)]
    results = {}
    for space in read_spaces(run.config, run.corpus, "test"):
        untrained, trained = (Encoded.of(learner, space) for learner in learners)
        # The files are read in the order .train, .test: the ten rows of .train come first.
        support, queries = np.arange(10), np.arange(10, space.num_rows)
        truth = space.label_of[queries]
        assert np.bincount(space.label_of[support]).tolist() == [5, 5], (
            f"{space.source}: the support has not five examples of each label"
        )
        predictions = predict_by_method(
            untrained,
            trained,
            labels=np.arange(2),
            support=support,
            targets=space.label_of[support],
            queries=queries,
        )
        predictions["the more frequent label"] = np.full(len(truth), np.bincount(truth).argmax())
        results[space.source] = {
            method: (
                float((slots == truth).mean()),
                float(f1_score(truth, slots, average="macro", zero_division=0.0)),
            )
            for method, slots in predictions.items()
        }
    return results


if __name__ == "__main__":
    main()
