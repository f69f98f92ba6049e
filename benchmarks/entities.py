"""WNUT17 and GUM from the published 1- and 5-shot support sets: entity F1, mean of ten.

    METAMAPPING_DATA=path/to/data python -m benchmarks.entities

Meta-trained on named entities of other sources, the round chosen on four that are like none of them: music,
voice commands, anatomy, cancer genetics. Each support set is adapted to, then the whole test file predicted:
micro-F1 of whole entities.
"""

from __future__ import annotations

import argparse
import os
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
from sklearn.linear_model import LogisticRegression

from benchmarks.ablations import markdown, read_learner
from benchmarks.fingerprints import data_fingerprint
from benchmarks.real_run import packaged_encoder, run_flow
from metamapping import MetaMapper
from metamapping.adaptation.evaluation import entity_f1, entity_spans
from metamapping.config.loading import parse_config
from metamapping.config.schema import RunConfig
from metamapping.publishing.published_model import PublishedModel
from metamapping.runs.folder import RunFolder

Sentences = list[tuple[list[str], list[str]]]

CROSSNER = ("ai", "literature", "politics", "science")
NAMES = {
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
TESTS = {"wnut": "wnut17", "gum": "gum"}


class Way(NamedTuple):
    """A row of the table: the encoder of which round, whether it is told names and case, what predicts."""

    round: int
    named: bool = True
    cased: bool = True
    solver: str = "ridge"


def main() -> None:
    """Run the benchmark and print its table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--home", default=".metamapping", help="folder of the store and the runs")
    options = parser.parse_args()
    run = run_flow(entities_config(options.home))
    history = run.read_history()
    best = history[-1].verdict.best_round
    seconds = sum(judged.report.training.seconds for judged in history)
    print(f"run {run.run_id}, round {best} of {len(history)}, {seconds / 60:.0f} minutes of meta-training\n")
    rows, columns = {}, []
    for name, way in {
        "meta-trained": Way(best),
        "… without label names": Way(best, named=False),
        "… prototypes instead of ridge": Way(best, solver="prototypes"),
        "… learned strengths, not fitted": Way(best, solver="plain-ridge"),
        "… support and test files in lower case": Way(best, cased=False),
        "untrained encoder, same closed form": Way(0),
        "untrained encoder, logistic regression": Way(0, solver="logistic regression"),
        "… of labels weighted alike": Way(0, solver="balanced logistic regression"),
    }.items():
        scores = {
            f"{test} {shots}-shot": support_set_scores(run, way, test, shots)
            for test in TESTS
            for shots in (1, 5)
        }
        columns = list(scores)
        rows[name] = [f"{100 * np.mean(each):.1f} ± {100 * np.std(each):.1f}" for each in scores.values()]
        print(name, *rows[name], flush=True)
    print("\n" + markdown(rows, columns))
    print(f"\n± is the standard deviation over the ten support sets. Data {data_fingerprint(evaluated())}.")


def evaluated() -> list[Path]:
    """The support sets and the test files."""
    folder = Path(os.environ["METAMAPPING_DATA"]) / "ner"
    sets = [path for test in TESTS for path in (folder / "support-sets").glob(f"{test}-*/*.txt")]
    return [*sets, *(folder / name / "test.conll" for name in TESTS.values())]


def entities_config(home: str) -> RunConfig:
    """Meta-training on named entities that are neither WNUT's nor GUM's."""
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
    unlike = dict.fromkeys(("crossner-music", "snips-slots", "anem", "bionlp13cg"), "validation")
    roles = {**unlike, "wnut": "test", "gum": "test"}
    sources = []
    for name, paths in files.items():
        text = "".join(path.read_text(encoding="utf-8") for path in paths)
        sources.append(
            {
                "name": name,
                "task_type": "ner",
                "role": roles.get(name, "train"),
                "files": [str(path) for path in paths],
                "format": "conll",
                "label_names": {
                    label: words for label, words in NAMES.items() if f"-{label}\n" in text + "\n"
                },
                "keep_all": roles.get(name) == "test",
            }
        )
    settings = {
        "name": "entities",
        "home": home,
        "sources": sources,
        "encoder": {"preset": os.environ.get("METAMAPPING_ENCODER") or packaged_encoder()},
        "episodes": {"max_ner_words": 384},
        "training": {"meta_steps": 200, "learning_rate": 5e-5, "checkpoint_every_steps": 100},
        "evaluation": {"shots": [0, 1, 5], "num_queries": 10, "num_episodes": 20},
        "convergence": {"max_rounds": 4, "min_rounds": 4},
        "adjustment": {"moves": []},
    }
    return parse_config(settings)


@cache
def mapper_of(run: RunFolder, round: int) -> MetaMapper:
    """What the run would publish at the end of a round; each test file is encoded once."""
    learner = read_learner(run, round)
    model = PublishedModel(
        encoder=learner.encoder,
        mapping=learner.mapping,
        tokenizer_folder=run.corpus.tokenizer.fetch(),
        max_length_tokens=run.config.encoder.max_length_tokens,
        cleaning=run.config.cleaning,
    )
    mapper, known = MetaMapper(model), {}
    encode = mapper.featurizer.words

    def words(texts: list[list[str]]) -> tuple[np.ndarray, np.ndarray]:
        key = hash(tuple(map(tuple, texts)))
        if key not in known:
            known[key] = encode(texts)
        return known[key]

    mapper.featurizer.words = words
    return mapper


def support_set_scores(run: RunFolder, way: Way, test: str, shots: int) -> list[float]:
    """Entity micro-F1 over the test file, for each of the ten support sets."""
    folder = Path(os.environ["METAMAPPING_DATA"]) / "ner"
    mapper = mapper_of(run, way.round)
    queries = read_sentences(folder / TESTS[test] / "test.conll", cased=way.cased)
    words = [row for row, _ in queries]
    gold = {span for i, (_, tags) in enumerate(queries) for span in entity_spans(i, tags)}
    scores = []
    for path in sorted((folder / "support-sets" / f"{test}-{shots}shot").iterdir()):
        examples = read_sentences(path, cased=way.cased)
        if way.solver.endswith("regression"):
            predicted = _regressed(mapper, examples, words, is_balanced=way.solver.startswith("balanced"))
        else:
            predicted = _mapped(mapper, examples, words, way)
        spans = {span for i, tags in enumerate(predicted) for span in entity_spans(i, tags)}
        scores.append(entity_f1(gold, spans))
    return scores


def _mapped(mapper: MetaMapper, examples: Sentences, words: list[list[str]], way: Way) -> list[list[str]]:
    types = {tag[2:] for _, tags in examples for tag in tags if tag != "O"}
    # Names that say nothing of their labels: letters.
    names = NAMES if way.named else {label: chr(97 + i) for i, label in enumerate(sorted(types))}
    mapper.featurizer.model.mapping.solver = way.solver
    mapping = mapper.adapt(
        [row for row, _ in examples],
        [tags for _, tags in examples],
        task_type="ner",
        label_names={label: name for label, name in names.items() if label in types},
    )
    return mapping.predict(words)


def _regressed(
    mapper: MetaMapper, examples: Sentences, words: list[list[str]], *, is_balanced: bool
) -> list[list[str]]:
    """Each word's type by logistic regression on the features that the mapping sees."""
    features, _ = mapper.featurizer.words([row for row, _ in examples])
    types = [tag[2:] or "O" for _, tags in examples for tag in tags]
    fitted = LogisticRegression(max_iter=1_000, class_weight="balanced" if is_balanced else None)
    features_of_words, offsets = mapper.featurizer.words(words)
    predicted = fitted.fit(features, types).predict(features_of_words)
    tags = ["O" if kind == "O" else f"I-{kind}" for kind in predicted]
    return [tags[first:last] for first, last in pairwise(offsets)]


def read_sentences(path: Path, *, cased: bool) -> Sentences:
    """Words and BIO tags of a CoNLL file of two columns."""
    sentences: Sentences = []
    for block in path.read_text(encoding="utf-8").split("\n\n"):
        rows = [line.split("\t") for line in block.splitlines() if line.strip()]
        if rows:
            words = [row[0] if cased else row[0].lower() for row in rows]
            sentences.append((words, [row[-1] for row in rows]))
    return sentences


if __name__ == "__main__":
    main()
