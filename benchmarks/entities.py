"""Named entities: WNUT17 and GUM with the published support sets of one and five shots.

    METAMAPPING_DATA=path/to/data python -m benchmarks.entities

In: CoNLL files. The encoder is meta-trained on named entities of other sources, and the round is chosen on
four sources unlike all of them: music, voice commands, anatomy and cancer genetics. Then the encoder is
adapted to each of the ten support sets and predicts the whole test file. Out: micro-F1 of whole entities,
mean ± standard deviation over the support sets, as Markdown.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping, Sequence
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
from sklearn.linear_model import LogisticRegression

from benchmarks.ablations import read_learner
from benchmarks.fingerprints import data_fingerprint
from benchmarks.markdown_tables import markdown
from benchmarks.real_run import packaged_encoder, run_flow
from metamapping import MetaMapper
from metamapping.adaptation.entity_scores import entity_f1, entity_spans
from metamapping.config.loading import parse_config
from metamapping.config.schema import RunConfig
from metamapping.publishing.published_model import PublishedModel
from metamapping.runs.folder import RunFolder

Sentences = list[tuple[list[str], list[str]]]

CROSSNER = ("ai", "literature", "politics", "science")
LABEL_NAMES = {
    "programlang": "programming language",
    "literarygenre": "literary genre",
    "politicalparty": "political party",
    "chemicalcompound": "chemical compound",
    "astronomicalobject": "astronomical object",
    "chemicalelement": "chemical element",
    "academicjournal": "academic journal",
    "musicalartist": "musical artist",
    "musicalinstrument": "musical instrument",
    "musicgenre": "music genre",
    "PER": "person",
    "LOC": "location",
    "ORG": "organization",
    "MISC": "other name",
    "DocumentReference": "document reference",
    "MilitaryPlatform": "military platform",
    "creative-work": "creative work",
    "timeRange": "time range",
}
TEST_FOLDERS = {"wnut": "wnut17", "gum": "gum"}  # by the names of the support sets


class Method(NamedTuple):
    """A row of the table: whose encoder, whether label names and case are kept, and what predicts."""

    round_number: int  # 0 is the untrained encoder
    use_names: bool = True
    keep_case: bool = True
    solver: str = "ridge"


def main() -> None:
    """Print the table of "Named entities: WNUT17 and GUM" in benchmarks/README.md.

    It compares the meta-trained encoder with itself without single parts, and with the untrained encoder. The
    published figures in that table are copied from the paper. Four rounds of 200 steps take 16 minutes of
    meta-training on two cores. The same command resumes an interrupted run.
    """
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--home", default=".metamapping", help="folder for prepared data and runs")
    options = parser.parse_args()
    run = run_flow(entities_config(options.home))
    history = run.read_history()
    best = history[-1].verdict.best_round
    seconds = sum(judged.report.training.seconds for judged in history)
    print(f"run {run.run_id}, round {best} of {len(history)}, {seconds / 60:.0f} minutes of meta-training\n")
    rows, columns = {}, []
    for name, method in {
        "meta-trained": Method(best),
        "… without label names": Method(best, use_names=False),
        "… prototypes instead of ridge": Method(best, solver="prototypes"),
        "… learned hyperparameters, not fitted": Method(best, solver="plain-ridge"),
        "… support and test files converted to lower case": Method(best, keep_case=False),
        "untrained encoder, same closed form": Method(0),
        "untrained encoder, logistic regression": Method(0, solver="logistic regression"),
        "… with equal weights for all labels": Method(0, solver="balanced logistic regression"),
    }.items():
        scores = {
            f"{test} {shots}-shot": support_set_scores(run, method, test, shots)
            for test in TEST_FOLDERS
            for shots in (1, 5)
        }
        columns = list(scores)
        rows[name] = [f"{100 * np.mean(each):.1f} ± {100 * np.std(each):.1f}" for each in scores.values()]
        print(name, *rows[name], flush=True)
    print("\n" + markdown(rows, columns))
    data = data_fingerprint(evaluated_files())
    print(f"\n± is the standard deviation over the ten support sets. Data {data}.")


def evaluated_files() -> list[Path]:
    """The support sets and the files to predict."""
    folder = Path(os.environ["METAMAPPING_DATA"]) / "ner"
    sets = [path for test in TEST_FOLDERS for path in (folder / "support-sets").glob(f"{test}-*/*.txt")]
    return [*sets, *(folder / name / "test.conll" for name in TEST_FOLDERS.values())]


def entities_config(home: str) -> RunConfig:
    """The configuration for meta-training on named entities of other sources than WNUT17 and GUM."""
    folder = Path(os.environ["METAMAPPING_DATA"]) / "ner"
    files = {f"crossner-{domain}": sorted((folder / f"crossner_{domain}").iterdir()) for domain in CROSSNER}
    files |= {
        "broad-twitter": [folder / "btc" / f"{part}.conll" for part in "befgh"],
        "wikigold": [folder / "wikigold.conll"],
        "re3d": sorted((folder / "re3d").iterdir()),
        "snips-slots": [folder / "snips_slots.conll"],
        "anem": sorted((folder / "anem").iterdir()),
        "bionlp13cg": sorted((folder / "bionlp13cg").iterdir()),
        "crossner-music": sorted((folder / "crossner_music").iterdir()),
        "wnut": [folder / "wnut17" / "test.conll"],
        "gum": [folder / "gum" / "test.conll"],
    }
    # Validation sources unlike all train sources, as the test sources are too.
    validation = dict.fromkeys(("crossner-music", "snips-slots", "anem", "bionlp13cg"), "validation")
    return ner_config("entities", home, files, {**validation, "wnut": "test", "gum": "test"}, num_rounds=4)


def ner_config(
    name: str, home: str, files: Mapping[str, Sequence[Path]], roles: Mapping[str, str], *, num_rounds: int
) -> RunConfig:
    """A configuration for sources of named entities: rounds of 200 steps, without adjustments.

    Args:
        name: Name of the run.
        home: Folder for prepared data and runs.
        files: The CoNLL files of each source.
        roles: Of the sources that are not trained on.
        num_rounds: How many rounds there are.
    """
    sources = []
    for source, paths in files.items():
        text = "".join(path.read_text(encoding="utf-8") for path in paths)
        sources.append(
            {
                "name": source,
                "task_type": "ner",
                "role": roles.get(source, "train"),
                "files": [str(path) for path in paths],
                "format": "conll",
                "label_names": {
                    label: words for label, words in LABEL_NAMES.items() if f"-{label}\n" in text + "\n"
                },
                "keep_all": roles.get(source) == "test",
            }
        )
    settings = {
        "name": name,
        "home": home,
        "sources": sources,
        "encoder": {"preset": os.environ.get("METAMAPPING_ENCODER") or packaged_encoder()},
        "episodes": {"max_ner_words": 384},
        "training": {"meta_steps": 200, "learning_rate": 5e-5, "checkpoint_every_steps": 100},
        "evaluation": {"shots": [0, 1, 5], "num_queries": 10, "num_episodes": 20},
        "convergence": {"max_rounds": num_rounds, "min_rounds": num_rounds},
        "adjustment": {"moves": []},
        # Looking for wrong labels takes longer than all rounds, and these sources are read as they are.
        "label_noise": {"action": "ignore"},
    }
    return parse_config(settings)


@cache
def build_mapper(run: RunFolder, round_number: int) -> MetaMapper:
    """A mapper with what the run would publish after a round; it encodes each test file only once."""
    learner = read_learner(run, round_number)
    model = PublishedModel(
        encoder=learner.encoder,
        mapping=learner.mapping,
        tokenizer_folder=run.corpus.tokenizer.fetch(),
        max_length_tokens=run.config.encoder.max_length_tokens,
        cleaning=run.config.cleaning,
    )
    mapper, cached = MetaMapper(model), {}
    encode = mapper.featurizer.words

    def words(texts: list[list[str]]) -> tuple[np.ndarray, np.ndarray]:
        key = hash(tuple(map(tuple, texts)))
        if key not in cached:
            cached[key] = encode(texts)
        return cached[key]

    mapper.featurizer.words = words
    return mapper


def support_set_scores(run: RunFolder, method: Method, test: str, shots: int) -> list[float]:
    """Micro-F1 of whole entities in the test file, for each of the ten support sets."""
    folder = Path(os.environ["METAMAPPING_DATA"]) / "ner"
    mapper = build_mapper(run, method.round_number)
    queries = read_sentences(folder / TEST_FOLDERS[test] / "test.conll", keep_case=method.keep_case)
    words = [row for row, _ in queries]
    gold = {span for i, (_, tags) in enumerate(queries) for span in entity_spans(i, tags)}
    scores = []
    for path in sorted((folder / "support-sets" / f"{test}-{shots}shot").iterdir()):
        examples = read_sentences(path, keep_case=method.keep_case)
        if method.solver.endswith("regression"):
            is_balanced = method.solver.startswith("balanced")
            predicted = _predict_by_regression(mapper, examples, words, is_balanced=is_balanced)
        else:
            predicted = _predict_by_mapping(mapper, examples, words, method)
        spans = {span for i, tags in enumerate(predicted) for span in entity_spans(i, tags)}
        scores.append(entity_f1(gold, spans))
    return scores


def _predict_by_mapping(
    mapper: MetaMapper, examples: Sentences, words: list[list[str]], method: Method
) -> list[list[str]]:
    types = {tag[2:] for _, tags in examples for tag in tags if tag != "O"}
    # Without names, each type is called by a letter, which says nothing about it.
    names = LABEL_NAMES if method.use_names else {label: chr(97 + i) for i, label in enumerate(sorted(types))}
    mapper.featurizer.model.mapping.solver = method.solver
    mapping = mapper.adapt(
        [row for row, _ in examples],
        [tags for _, tags in examples],
        task_type="ner",
        label_names={label: name for label, name in names.items() if label in types},
    )
    return mapping.predict(words)


def _predict_by_regression(
    mapper: MetaMapper, examples: Sentences, words: list[list[str]], *, is_balanced: bool
) -> list[list[str]]:
    """Tags by logistic regression for each word, on the same features that the mapping uses."""
    features, _ = mapper.featurizer.words([row for row, _ in examples])
    types = [tag[2:] or "O" for _, tags in examples for tag in tags]
    regression = LogisticRegression(max_iter=1_000, class_weight="balanced" if is_balanced else None)
    features_of_words, offsets = mapper.featurizer.words(words)
    predicted = regression.fit(features, types).predict(features_of_words)
    tags = ["O" if entity_type == "O" else f"I-{entity_type}" for entity_type in predicted]
    return [tags[first:last] for first, last in pairwise(offsets)]


def read_sentences(path: Path, *, keep_case: bool) -> Sentences:
    """Read the words and BIO tags of a CoNLL file with two columns."""
    sentences: Sentences = []
    for block in path.read_text(encoding="utf-8").split("\n\n"):
        rows = [line.split("\t") for line in block.splitlines() if line.strip()]
        if rows:
            words = [row[0] if keep_case else row[0].lower() for row in rows]
            sentences.append((words, [row[-1] for row in rows]))
    return sentences


if __name__ == "__main__":
    main()
