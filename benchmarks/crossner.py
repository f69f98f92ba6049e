"""CrossNER without examples: the entities of five domains that training never saw, from the names of types.

    METAMAPPING_DATA=path/to/data python -m benchmarks.crossner

In: CoNLL files. The encoder is meta-trained on named entities of other sources: tweets, Wikipedia, defence,
spoken commands, web texts, biomedical papers. Then each domain's whole test file is predicted by
``zero_shot`` with the names of its types. Out: micro-F1 of whole entities, and of their ends alone, after
meta-training and before, as Markdown.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.entities import LABEL_NAMES, build_mapper, ner_config, read_sentences
from benchmarks.fingerprints import data_fingerprint
from benchmarks.markdown_tables import markdown
from benchmarks.real_run import run_flow
from metamapping import MetaMapper
from metamapping.adaptation.entity_scores import Span, entity_f1, entity_spans
from metamapping.config.schema import RunConfig

DOMAINS = ("ai", "literature", "music", "politics", "science")


def main() -> None:
    """Print the table of "CrossNER without examples" in benchmarks/README.md."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--home", default=".metamapping", help="folder for prepared data and runs")
    parser.add_argument("--rounds", type=int, default=2, help="rounds of 200 steps")
    options = parser.parse_args()
    run = run_flow(crossner_config(options.home, options.rounds))
    best = run.read_history()[-1].verdict.best_round
    rows = {}
    for method, round_number in {f"meta-trained, round {best}": best, "untrained encoder": 0}.items():
        mapper = build_mapper(run, round_number)
        scores = [domain_scores(mapper, domain) for domain in DOMAINS]
        rows[method], rows[f"{method}, ends alone"] = (
            [f"{100 * value:.1f}" for value in [*column, np.mean(column)]]
            for column in zip(*scores, strict=True)
        )
    print("\n" + markdown(rows, [*DOMAINS, "mean"]))
    print(f"\nData {data_fingerprint([test_file(domain) for domain in DOMAINS])}.")


def crossner_config(home: str, num_rounds: int) -> RunConfig:
    """The configuration for meta-training on sources of named entities other than CrossNER."""
    folder = Path(os.environ["METAMAPPING_DATA"]) / "ner"
    files: dict[str, Sequence[Path]] = {
        "broad-twitter": [folder / "btc" / f"{part}.conll" for part in "befgh"],
        "wikigold": [folder / "wikigold.conll"],
        "re3d": sorted((folder / "re3d").iterdir()),
        "snips-slots": [folder / "snips_slots.conll"],
        "bionlp13cg": sorted((folder / "bionlp13cg").iterdir()),
        "wnut": [folder / "wnut17" / "train.conll"],
        "gum": [folder / "gum" / "train.conll"],
        "anem": sorted((folder / "anem").iterdir()),
    }
    roles = {"anem": "validation"}
    for domain in DOMAINS:
        files[f"crossner-{domain}"], roles[f"crossner-{domain}"] = [test_file(domain)], "test"
    return ner_config("crossner", home, files, roles, num_rounds=num_rounds)


def test_file(domain: str) -> Path:
    """The sentences of a domain that are predicted."""
    return Path(os.environ["METAMAPPING_DATA"]) / "ner" / f"crossner_{domain}" / "test.conll"


def domain_scores(mapper: MetaMapper, domain: str) -> tuple[float, float]:
    """Micro-F1 of a domain's entities, and of their ends whatever the types."""
    sentences = read_sentences(test_file(domain), keep_case=True)
    gold = {span for i, (_, tags) in enumerate(sentences) for span in entity_spans(i, tags)}
    types = sorted({span[3] for span in gold})
    names = {label: LABEL_NAMES[label] for label in types if label in LABEL_NAMES}
    task = mapper.zero_shot(types, label_names=names, task_type="ner")
    predicted = task.predict([words for words, _ in sentences])
    found = {span for i, tags in enumerate(predicted) for span in entity_spans(i, tags)}
    return entity_f1(gold, found), entity_f1(_without_types(gold), _without_types(found))


def _without_types(spans: set[Span]) -> set[Span]:
    return {(sentence, first, end, "") for sentence, first, end, _ in spans}


if __name__ == "__main__":
    main()
