"""Long texts: read in overlapping windows, compared with cutting them.

    METAMAPPING_DATA=path/to/data python -m benchmarks.long_texts [PUBLISHED] [--overlaps 0 0.25 0.5]
    METAMAPPING_DATA=path/to/data python -m benchmarks.long_texts --source reviews --lengths 32 64

In: 20 newsgroups, of which the posts are cut at 1,000 characters (some 220 tokens); or, to choose an overlap,
the reviews of a validation domain of ARSC. Without PUBLISHED, the untrained MiniLM is measured. Out: accuracy
with eight examples of each label, at several lengths of the encoder, as Markdown.
"""

from __future__ import annotations

import argparse
import json
import os
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.paired import percent
from metamapping import MetaMapper
from metamapping.adaptation.featurizer import Featurizer
from metamapping.corpus.ragged import Ragged
from metamapping.corpus.windows import text_windows, with_overlap
from metamapping.publishing.loaded_model import LoadedModel

Rows = list[tuple[str, str]]  # text, label
VALIDATION_DOMAIN = "outdoor_living"


def main() -> None:
    """Print the table of "Long texts" in benchmarks/README.md."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("published", nargs="?", help="folder of a published encoder")
    parser.add_argument("--source", choices=("newsgroups", "reviews"), default="newsgroups")
    parser.add_argument("--lengths", nargs="+", type=int, default=[64, 128, 256])
    parser.add_argument("--overlaps", nargs="+", type=float, default=[0.25])
    parser.add_argument("--shots", type=int, default=8)
    parser.add_argument("--draws", type=int, default=10)
    parser.add_argument("--rows", type=int, default=60, help="rows of each label")
    options = parser.parse_args()
    mapper = (
        MetaMapper.from_pretrained(options.published, progress=False)
        if options.published
        else _untrained(max(options.lengths))
    )
    read = read_newsgroups if options.source == "newsgroups" else read_reviews
    rows = read(Path(os.environ["METAMAPPING_DATA"]), options.rows)
    table: dict[str, list[str]] = defaultdict(list)
    for length in options.lengths:
        model = replace(mapper.featurizer.model, max_length_tokens=length)  # type: ignore[type-var]
        methods: dict[str, Callable[[], Featurizer]] = {"cut": lambda model=model: CutFeaturizer(model)}
        for overlap in options.overlaps:
            methods[f"windows, overlap {overlap:.0%}"] = lambda model=model, overlap=overlap: with_windows(
                model, overlap
            )
        for name, build in methods.items():
            featurizer = build()
            accuracies = measure(featurizer, rows, options.shots, options.draws)
            table[name].append(percent(accuracies))
            counts = featurizer.length_counts
            print(f"{length} tokens, {name}: {table[name][-1]}, {counts.num_long} of {counts.num_texts} long")
    columns = [f"{length} tokens" for length in options.lengths]
    print(f"\nAccuracy of {options.draws} draws of {options.shots} examples; {len(rows)} texts\n")
    print(f"| method | {' | '.join(columns)} |\n|{' --- |' * (len(columns) + 1)}")
    for name, cells in table.items():
        print(f"| {name} | {' | '.join(cells)} |")


def _untrained(max_length_tokens: int) -> MetaMapper:
    # Imported here: a published encoder is measured without TensorFlow.
    from benchmarks.encoders import untrained_mapper
    from benchmarks.real_run import packaged_encoder

    preset = os.environ.get("METAMAPPING_ENCODER") or packaged_encoder()
    return untrained_mapper(preset, max_length_tokens=max_length_tokens)


class CutFeaturizer(Featurizer):
    """A featurizer that reads the first window of each text alone."""

    def _encode_windows(self, texts: list[str], advance: Callable[[float], None]) -> np.ndarray:
        windows = text_windows(self._windows, texts)
        self._counts.add(len(texts), num_long=windows.num_long)
        token_ids = windows.token_ids.take(np.flatnonzero(windows.is_first))
        segments = Ragged(np.zeros(len(token_ids.values), np.int32), token_ids.offsets)
        return self.model.encoder.encode(token_ids, segments)


def with_windows(model: LoadedModel, overlap: float) -> Featurizer:
    """A featurizer whose windows repeat this share of the window before."""
    featurizer = Featurizer(model, progress=False)
    featurizer._windows = with_overlap(featurizer._tokenizer, overlap=overlap)
    return featurizer


def measure(featurizer: Featurizer, rows: Rows, shots: int, num_draws: int) -> list[float]:
    """Accuracy on all rows but the examples, for each draw.

    Args:
        featurizer: Encodes the texts.
        rows: Texts with labels.
        shots: Examples of each label.
        num_draws: Number of draws.
    """
    texts, labels = [text for text, _ in rows], np.array([label for _, label in rows])
    features = dict(zip(texts, featurizer.texts(texts), strict=True))
    kept = MetaMapper(featurizer.model, progress=False)
    kept.featurizer = featurizer
    featurizer.texts = lambda given, pairs=None: np.stack([features[text] for text in given])  # type: ignore
    accuracies = []
    for draw in range(num_draws):
        rng = np.random.default_rng([draw, shots])
        chosen = np.concatenate(
            [rng.permutation(np.flatnonzero(labels == label))[:shots] for label in np.unique(labels)]
        )
        queries = np.setdiff1d(np.arange(len(rows)), chosen)
        mapping = kept.adapt([texts[i] for i in chosen], labels[chosen].tolist())
        predicted = mapping.predict([texts[i] for i in queries])
        accuracies.append(float((np.array(predicted) == labels[queries]).mean()))
    return accuracies


def read_newsgroups(data: Path, num_rows: int) -> Rows:
    """Test posts of 20 newsgroups, with this many of each group.

    Args:
        data: Folder of the data.
        num_rows: Rows of each label.
    """
    path = data / "text-classification" / "topics" / "20newsgroups.jsonl"
    lines = map(json.loads, path.read_text(encoding="utf-8").splitlines())
    return _some([(row["text"], row["label"]) for row in lines if row["part"] == "test"], num_rows)


def read_reviews(data: Path, num_rows: int) -> Rows:
    """Reviews of a validation domain, with this many of each polarity.

    Args:
        data: Folder of the data.
        num_rows: Rows of each label.
    """
    rows, names = [], {"1": "good", "-1": "bad"}
    for part in ("train", "dev", "test"):
        path = data / "sentiment-analysis" / "arsc" / f"{VALIDATION_DOMAIN}.t4.{part}"
        for line in path.read_text(encoding="utf-8").splitlines():
            text, label = line.split("\t")
            rows.append((text, names[label]))
    return _some(rows, num_rows)


def _some(rows: Rows, num_rows: int) -> Rows:
    """Rows with different texts, the same ones every time, with at most this many of each label."""
    rows = list({text: (text, label) for text, label in rows if text.strip()}.values())
    taken: dict[str, int] = defaultdict(int)
    some = []
    for i in np.random.default_rng(0).permutation(len(rows)):
        text, label = rows[i]
        taken[label] += 1
        if taken[label] <= num_rows:
            some.append((text, label))
    return some


if __name__ == "__main__":
    main()
