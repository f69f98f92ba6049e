"""MetaMapper compared with SetFit: the same initial encoder and the same eight examples of each label.

    METAMAPPING_DATA=path/to/data python -m benchmarks.setfit PUBLISHED [--seeds 0 1 2] [--tune] [--ablations]

In: PUBLISHED, the folder that `python -m benchmarks.real_run` published; neither method has been trained on
the sources compared here. Needs `requirements/torch.txt` and
`pip install --no-deps setfit evaluate accelerate psutil`. SetFit runs with its own defaults (one epoch over
the pairs that it generates). Out: accuracy, and the seconds that adapting alone takes, as Markdown. With
`--tune`, MetaMapper is measured with a tuned encoder as well, and with `--no-setfit` SetFit is left out. With
`--ablations`, the output is instead the accuracy of the learner without single parts, on the same samples.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import tensorflow as tf
from sklearn.linear_model import LogisticRegression

from benchmarks.ablations import Encoded, predict_by_method
from benchmarks.markdown_tables import markdown
from benchmarks.real_run import packaged_encoder
from metamapping import MetaMapper
from metamapping.adaptation.featurizer import Featurizer
from metamapping.config.encoder import EncoderSpec
from metamapping.config.sources import readable_label
from metamapping.config.training import TrainingSpec
from metamapping.publishing.published_model import PublishedModel
from metamapping.storage.manifest import fingerprint
from metamapping.training.learner import build_learner

SHOTS, NUM_QUERIES = 8, 500
TREC = {
    "0": "description",
    "1": "entity",
    "2": "abbreviation",
    "3": "human being",
    "4": "location",
    "5": "number",
}

Rows = list[tuple[str, str]]


def main() -> None:
    """Print the table of "Compared with SetFit" in benchmarks/README.md, or its ablations.

    It compares the meta-trained mapper, logistic regression on the untrained encoder and SetFit. Nearly all
    of the time is SetFit's: on two cores 50 to 86 seconds for each sample of the small sources, and more than
    an hour for one sample of BANKING77.
    """
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("published")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--sources", nargs="+", default=["banking77", "tweets-emotion", "trec6", "snips"])
    parser.add_argument("--tune", action="store_true", help="measure the tuned encoder as well")
    parser.add_argument("--no-setfit", action="store_true", help="leave out SetFit, which needs PyTorch")
    parser.add_argument("--ablations", action="store_true")
    options = parser.parse_args()
    mapper = MetaMapper.from_pretrained(options.published, progress=False)
    if options.ablations:
        print(ablations(mapper.featurizer.model, options.sources, options.seeds))
        return
    methods = {"MetaMapper": lambda seed: partial(_adapt_metamapper, mapper)}
    if options.tune:
        methods["MetaMapper, tuned"] = lambda seed: partial(_adapt_metamapper, mapper, tune=True)
    if not options.no_setfit:
        encode = _untrained_encoder()
        methods["logistic regression, untrained encoder"] = lambda seed: partial(_fit_regression, encode)
        methods["SetFit"] = lambda seed: partial(_train_setfit, seed)
    results: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for source in options.sources:
        support_rows, query_rows = read_source(source)
        print(f"{source}: data {fingerprint([support_rows, query_rows])}", flush=True)
        for seed in options.seeds:
            support, queries = draw(support_rows, query_rows, seed)
            for name, method in methods.items():
                started = time.perf_counter()
                predict = method(seed)(support)
                seconds = time.perf_counter() - started
                predicted = predict([text for text, _ in queries])
                hits = [guess == label for guess, (_, label) in zip(predicted, queries, strict=True)]
                results.setdefault((source, name), []).append((float(np.mean(hits)), seconds))
                print(f"{source} seed {seed}: {name} {np.mean(hits):.3f}, {seconds:.2f} s", flush=True)
    rows: dict[str, list[str]] = {}
    for (source, _), each in results.items():
        accuracy, seconds = np.mean(each, axis=0)
        rows.setdefault(source, []).append(f"{100 * accuracy:.1f}, {seconds:.2f} s")
    names = list(dict.fromkeys(name for _, name in results))
    print("\nAccuracy, seconds to adapt; 8 examples of each label\n")
    print(markdown(rows, names, heading="source"))


def ablations(published: PublishedModel, sources: list[str], seeds: list[int]) -> str:
    """A Markdown table of mean accuracy over ``seeds``: a row for each method, a column for each source."""
    spec = EncoderSpec(preset=packaged_encoder(), max_length_tokens=published.max_length_tokens)
    learner = build_learner(spec, TrainingSpec(), vocabulary_size=0, seed=0)
    untrained = replace(published, encoder=learner.encoder, mapping=learner.mapping)
    rows: dict[str, list[str]] = {}
    for source in sources:
        support_rows, query_rows = read_source(source)
        hits: dict[str, list[float]] = {}
        for seed in seeds:
            support, queries = draw(support_rows, query_rows, seed)
            texts, given = zip(*support, *queries, strict=True)
            labels, slots = np.unique(given, return_inverse=True)
            predictions = predict_by_method(
                *(_encode(model, list(texts), list(labels)) for model in (untrained, published)),
                labels=np.arange(len(labels)),
                support=np.arange(len(support)),
                targets=slots[: len(support)],
                queries=np.arange(len(support), len(texts)),
            )
            for method, predicted in predictions.items():
                hits.setdefault(method, []).append(float(np.mean(predicted == slots[len(support) :])))
        for method, accuracies in hits.items():
            rows.setdefault(method, []).append(f"{100 * np.mean(accuracies):.1f}")
    return markdown(rows, sources)


def _encode(model: PublishedModel, texts: list[str], labels: list[str]) -> Encoded:
    featurizer = Featurizer(model, progress=False)
    names = featurizer.names([readable_label(label, {}) for label in labels])
    return Encoded(model, featurizer.texts(texts), tf.constant(names))


def read_source(name: str) -> tuple[Rows, Rows]:
    """Read the rows to draw the support from and those to draw the queries from, with readable labels."""
    folder = Path(os.environ["METAMAPPING_DATA"]) / "text-classification"
    if name in ("banking77", "snips"):
        lines = (folder / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
        rows = [(row["text"], row["label"]) for row in map(json.loads, lines)]
        if name == "banking77":
            classes = folder / "class-splits" / "banking77" / "1" / "test.txt"
            wanted = set(classes.read_text(encoding="utf-8").split())
            rows = [(text, label.replace("_", " ")) for text, label in rows if label in wanted]
        return rows, rows
    path, names = {
        "trec6": (folder / "trec6", TREC),
        "tweets-emotion": (folder / "tweeteval" / "emotion", {}),
    }[name]
    return tuple(_read_csv(path / f"{part}.csv", names) for part in ("train", "test"))  # type: ignore[return-value]


def draw(support_rows: Rows, query_rows: Rows, seed: int) -> tuple[Rows, Rows]:
    """Draw ``SHOTS`` rows of each label as the support, and ``NUM_QUERIES`` other rows as queries."""
    rng = np.random.default_rng(seed)
    support: Rows = []
    for label in sorted({label for _, label in support_rows}):
        of_label = [row for row in support_rows if row[1] == label]
        support += [of_label[i] for i in rng.choice(len(of_label), SHOTS, replace=False)]
    known = {text for text, _ in support}
    others = [row for row in query_rows if row[0] not in known]
    return support, [others[i] for i in rng.choice(len(others), min(NUM_QUERIES, len(others)), replace=False)]


def _read_csv(path: Path, names: dict[str, str]) -> Rows:
    with path.open(encoding="utf-8", newline="") as file:
        return [(row["text"], names.get(row["label"], row["label"])) for row in csv.DictReader(file)]


Predict = Callable[[list[str]], list[str]]


def _adapt_metamapper(mapper: MetaMapper, rows: Rows, *, tune: bool = False) -> Predict:
    texts, labels = zip(*rows, strict=True)
    mapping = mapper.adapt(list(texts), list(labels), tune=tune)
    if mapping.tuning is not None:
        print(mapping.tuning, flush=True)
    return mapping.predict


def _untrained_encoder() -> Callable[[list[str]], np.ndarray]:
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(packaged_encoder(), device="cpu")
    return lambda texts: model.encode(texts, show_progress_bar=False)


def _fit_regression(encode: Callable[[list[str]], np.ndarray], rows: Rows) -> Predict:
    texts, labels = zip(*rows, strict=True)
    regression = LogisticRegression(max_iter=1_000).fit(encode(list(texts)), labels)
    return lambda texts: regression.predict(encode(texts)).tolist()


def _train_setfit(seed: int, rows: Rows) -> Predict:
    from datasets import Dataset
    from setfit import SetFitModel, Trainer, TrainingArguments

    texts, labels = zip(*rows, strict=True)
    model = SetFitModel.from_pretrained(packaged_encoder(), device="cpu")
    arguments = TrainingArguments(
        output_dir=os.path.join(os.environ.get("TMPDIR", "/tmp"), "setfit"),  # noqa: PTH118
        save_strategy="no",
        report_to="none",
        seed=seed,
        show_progress_bar=False,
    )
    data = Dataset.from_dict({"text": list(texts), "label": list(labels)})
    Trainer(model=model, args=arguments, train_dataset=data).train()
    return lambda texts: [str(label) for label in model.predict(texts, show_progress_bar=False)]


if __name__ == "__main__":
    main()
