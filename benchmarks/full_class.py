"""All labels at once: BANKING77 with 77 intents and CLINC150 with 150, and texts outside of all of them.

    METAMAPPING_DATA=path/to/data python -m benchmarks.full_class [PUBLISHED] [--tune] [--out-of-scope]

In: the published training files of five and ten examples of each label, further draws from the rest of the
data, and the official test sets. Without PUBLISHED, the untrained MiniLM is measured; a published encoder
must not have seen these intents. Out: accuracy and CPU seconds to adapt, beside logistic regression on the
same features, as Markdown. With `--out-of-scope`, instead CLINC150's full data: accuracy in scope, and recall
and F1 out of scope, with a threshold on the confidence that is chosen on the validation part.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections import defaultdict
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression

from benchmarks.encoders import keep_features, untrained_mapper
from benchmarks.fingerprints import data_fingerprint
from benchmarks.markdown_tables import markdown
from benchmarks.paired import percent
from benchmarks.real_run import packaged_encoder
from benchmarks.scope import (
    balanced_f1_out_of_scope,
    best_threshold,
    f1_out_of_scope,
    joint_accuracy,
    scope_scores,
)
from benchmarks.simpler import prototypes
from metamapping import MetaMapper

DATASETS, SHOTS = ("banking77", "clinc150"), (5, 10)
Rows = list[tuple[str, str]]  # text, label
OUT_OF_SCOPE = "oos"


def main() -> None:
    """Print the tables of "All labels at once" or "Out of scope" in benchmarks/README.md.

    They compare adapting with logistic regression on the same features. Most of the time is spent on encoding
    16,000 short texts once: about two minutes on two otherwise idle cores; 24,000 with `--out-of-scope`.
    """
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("published", nargs="?", help="folder of a published encoder")
    parser.add_argument("--draws", type=int, default=3, help="draws of each size, the published one included")
    parser.add_argument("--datasets", nargs="+", choices=DATASETS, default=DATASETS)
    parser.add_argument("--tune", action="store_true", help="measure the tuned encoder as well")
    parser.add_argument("--out-of-scope", action="store_true")
    options = parser.parse_args()
    mapper = (
        MetaMapper.from_pretrained(options.published, progress=False)
        if options.published
        else untrained_mapper(os.environ.get("METAMAPPING_ENCODER") or packaged_encoder())
    )
    folder = Path(os.environ["METAMAPPING_DATA"]) / "text-classification" / "full-class"
    keep_features(mapper)
    if options.out_of_scope:
        print(out_of_scope_table(mapper, folder / "clinc150-oos.jsonl"))
        return
    # Compiles what is compiled once for each process, so that the seconds are those of adapting.
    mapper.adapt(["one", "two", "three", "four"], ["a", "a", "b", "b"])
    rows: dict[str, list[str]] = defaultdict(list)
    for dataset in options.datasets:
        for shots in SHOTS:
            for method, cell in measure(
                mapper, folder, dataset, shots, options.draws, tune=options.tune
            ).items():
                rows[method].append(cell)
                print(f"{dataset}, {shots}: {method} {cell}", flush=True)
    columns = [f"{dataset}, {shots} examples" for dataset in options.datasets for shots in SHOTS]
    print(f"\nAccuracy of {options.draws} draws (the published one), CPU seconds to adapt; data", end=" ")
    print(data_fingerprint(folder / f"{name}.test.jsonl" for name in options.datasets), end="\n\n")
    print(markdown(rows, columns))


def measure(
    mapper: MetaMapper, folder: Path, dataset: str, shots: int, num_draws: int, *, tune: bool = False
) -> dict[str, str]:
    """One column of the table: a cell for each method.

    Args:
        mapper: The encoder, with kept features.
        folder: Folder of the published files.
        dataset: ``banking77`` or ``clinc150``.
        shots: 5 or 10.
        num_draws: Number of draws.
        tune: Whether to measure the tuned encoder as well.
    """
    test = read_rows(folder / f"{dataset}.test.jsonl")
    texts, truth = [text for text, _ in test], np.array([label for _, label in test])
    accuracies: dict[str, list[float]] = defaultdict(list)
    seconds: dict[str, list[float]] = defaultdict(list)
    supports = [read_rows(folder / f"{dataset}.train_{shots}.jsonl")]
    supports += further_draws(
        read_rows(folder.parent / f"{dataset}.jsonl"), test, shots=shots, count=num_draws - 1
    )
    for support in supports:
        mapper.featurizer.texts([text for text, _ in support])  # encoded before the clock starts
        for name, adapt in methods_of(mapper, tune=tune).items():
            started = time.process_time()
            predict = adapt([text for text, _ in support], [label for _, label in support])
            seconds[name].append(time.process_time() - started)
            accuracies[name].append(float((np.array(predict(texts)) == truth).mean()))
    return {
        name: f"{percent(each)} ({percent(each[:1])}), {np.median(seconds[name]):.1f} s"
        for name, each in accuracies.items()
    }


Predict = Callable[[list[str]], list[str]]
Adapt = Callable[[list[str], list[str]], Predict]


def methods_of(mapper: MetaMapper, *, tune: bool = False) -> dict[str, Adapt]:
    """The methods by name: each adapts to texts and labels and returns how to predict."""

    def adapt(texts: list[str], labels: list[str], *, use_names: bool = True, tune: bool = False) -> Predict:
        # Equal names say nothing: the prior is then the same for all labels.
        names = None if use_names else dict.fromkeys(labels, "label")
        mapping = mapper.adapt(texts, labels, label_names=names, tune=tune)
        if mapping.tuning is not None:
            print(mapping.tuning, flush=True)
        return mapping.predict

    def fit(texts: list[str], labels: list[str], *, model: Any) -> Predict:
        fitted = clone(model).fit(first_view(mapper, texts), labels)
        return lambda queries: list(fitted.predict(first_view(mapper, queries)))

    def average(texts: list[str], labels: list[str]) -> Predict:
        features = first_view(mapper, texts)
        return lambda queries: list(prototypes(features, labels, first_view(mapper, queries)))

    tuned = {"metamapping, tuned": partial(adapt, tune=True)} if tune else {}
    return {
        "metamapping": adapt,
        **tuned,
        "… without label names": partial(adapt, use_names=False),
        "logistic regression, C = 1": partial(fit, model=LogisticRegression(max_iter=1_000)),
        "logistic regression, C = 10": partial(fit, model=LogisticRegression(C=10.0, max_iter=1_000)),
        "prototypes": average,
    }


def first_view(mapper: MetaMapper, texts: list[str]) -> np.ndarray:
    """The features that simpler methods see: the mean of the token states, at unit length."""
    return mapper.featurizer.texts(texts)[:, : mapper.featurizer.dim]


def further_draws(rows: Rows, test: Rows, *, shots: int, count: int) -> list[Rows]:
    """Draw training sets from all rows that are not in the test set.

    Args:
        rows: All rows of a data set.
        test: Its official test set.
        shots: Rows of each label.
        count: Number of draws.
    """
    known = {text.lower() for text, _ in test}
    by_label: dict[str, list[str]] = defaultdict(list)
    for text, label in rows:
        if text.lower() not in known:
            by_label[label].append(text)
    return [
        [
            (by_label[label][i], label)
            for label in sorted(by_label)
            for i in np.random.default_rng([seed]).permutation(len(by_label[label]))[:shots]
        ]
        for seed in range(1, count + 1)
    ]


def out_of_scope_table(mapper: MetaMapper, path: Path) -> str:
    """The table of "Out of scope": CLINC150's full data, one row for each way to choose the threshold.

    Args:
        mapper: The encoder, with kept features.
        path: The published file; each row has its ``part``.
    """
    parts: dict[str, Rows] = defaultdict(list)
    for line in path.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        parts[row["part"]].append((row["text"], row["label"]))
    started = time.perf_counter()
    # The published examples out of scope change nothing of the mapping; `threshold="auto"` needs them.
    examples = [*parts["train"], *parts["oos_train"]]
    mapping = mapper.adapt(
        [text for text, _ in examples], [label for _, label in examples], out_of_scope=OUT_OF_SCOPE
    )
    print(f"adapted to {len(parts['train'])} examples in {time.perf_counter() - started:.0f} s", flush=True)

    def answered(names: tuple[str, str]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Confidence, whether the predicted label is right, and whether the text is in scope."""
        rows = [row for name in names for row in parts[name]]
        answers = mapping.answer([text for text, _ in rows], threshold=0.0)
        labels = np.array([label for _, label in rows])
        return answers.confidence, np.array(answers.labels) == labels, labels != OUT_OF_SCOPE

    validation, test = answered(("val", "oos_val")), answered(("test", "oos_test"))
    table = {"no threshold": scope_scores(*test, threshold=0.0)}
    measures = {
        "accuracy of all 151 classes": joint_accuracy,
        "F1 out of scope": f1_out_of_scope,
        # Out of scope are 3 % of the validation part and 18 % of the test part.
        "F1 out of scope with both kinds as halves": balanced_f1_out_of_scope,
    }
    for name, measure in measures.items():
        threshold = best_threshold(*validation, measure=measure)
        table[f"threshold {threshold:.3f}, of the best {name}"] = scope_scores(*test, threshold=threshold)
    share = float((~test[2]).mean())
    for name, outside in (
        ('"auto"', 0.5),
        (f'{{"outside": {share:.2f}}}, the share in the test part', share),
    ):
        threshold = mapping.find_threshold(outside=outside)
        table[f"threshold {threshold:.3f}, {name}"] = scope_scores(*test, threshold=threshold)
    rows = {name: [f"{100 * value:.1f}" for value in scores] for name, scores in table.items()}
    return markdown(rows, ["accuracy in scope", "recall out of scope", "F1 out of scope"], heading="CLINC150")


def read_rows(path: Path) -> Rows:
    """The texts and labels of a JSONL file."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return [(row["text"], row["label"]) for row in map(json.loads, lines)]


if __name__ == "__main__":
    main()
