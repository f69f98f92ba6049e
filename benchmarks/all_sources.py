"""Prepare all real sources with one command: every file, by configuration alone.

    METAMAPPING_DATA=path/to/data python -m benchmarks.all_sources HOME TOKENIZER_FOLDER

In: every file of the real data, and a folder with the tokenizer. Out: the report of the corpus, which is also
stored under HOME.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from metamapping.config.loading import parse_config
from metamapping.config.schema import RunConfig

TWEETS = {"train": "train", "val": "validation", "test": "test"}
SPLITS = {"train": "train", "dev": "validation", "devel": "validation", "test": "test"}
ARSC_TEST = ("books", "dvd", "electronics", "kitchen_housewares")  # as in the published protocol
TREC = ["description", "entity", "abbreviation", "human", "location", "number"]


def main() -> None:
    """Print the report that "All real sources" in benchmarks/README.md quotes.

    Nothing is compared: the command shows that every file is read, and how many rows and duplicates it has.
    339 of the files took about three minutes on two busy cores.
    """
    from flows.prepare_corpus import prepare_corpus

    home, tokenizer = sys.argv[1:]
    result = prepare_corpus(all_sources(Path(os.environ["METAMAPPING_DATA"]), home, tokenizer))
    print((Path(result["report"]["path"]) / "report.md").read_text(encoding="utf-8"))


def all_sources(root: Path, home: str, tokenizer: str) -> RunConfig:
    """A configuration with every file under ``root``."""
    sources = [*_texts(root / "text-classification"), *_pairs(root / "text-pair")]
    sources += [*_reviews(root / "sentiment-analysis"), *_entities(root / "ner")]
    sources += _emotions(root / "multi-label")
    return parse_config(
        {"name": "all-sources", "home": home, "encoder": {"preset": tokenizer}, "sources": sources}
    )


def _source(name: str, task_type: str, files: list[Path], **settings: Any) -> dict[str, Any]:
    return {"name": name, "task_type": task_type, "files": [str(file) for file in files], **settings}


def _texts(root: Path) -> list[dict[str, Any]]:
    kind = "text-classification"
    sources = [_source("snips", kind, [root / "snips.jsonl"], role="train")]
    for name in ("banking77", "clinc150"):
        splits = root / "class-splits" / name / "1"
        roles = {
            role: str(splits / f"{file}.txt")
            for file, role in (("train", "train"), ("valid", "validation"), ("test", "test"))
        }
        sources.append(_source(name, kind, [root / f"{name}.jsonl"], label_roles=roles))
    for split in ("train", "test"):
        file = root / "trec6" / f"{split}.csv"
        sources.append(_source(f"trec6-{split}", kind, [file], role=split, labels=TREC))
    for folder in sorted((root / "tweeteval").iterdir()):
        for split, role in TWEETS.items():
            sources.append(_source(f"{folder.name}-{split}", kind, [folder / f"{split}.csv"], role=role))
    for folder in ("topics", "full-class"):
        role = "train" if folder == "topics" else "test"
        for file in sorted((root / folder).iterdir()):
            sources.append(_source(f"{folder}-{file.stem}", kind, [file], role=role))
    return sources


def _emotions(root: Path) -> list[dict[str, Any]]:
    """GoEmotions, of which the comments with several labels are rejected."""
    columns = {"label": "labels"}
    return [
        _source(
            file.stem, "text-classification", [file], role=SPLITS[file.stem.split(".")[1]], columns=columns
        )
        for file in sorted(root.iterdir())
    ]


def _pairs(root: Path) -> list[dict[str, Any]]:
    columns = {"text": "premise", "text_pair": "hypothesis"}
    sources = [
        _source(name, "text-classification", [root / f"{name}.csv"], role=role, columns=columns)
        for name, role in (("taxinli", "train"), ("snli_test", "test"), ("rte", "validation"))
    ]
    columns = {"text": "question1", "text_pair": "question2"}
    files = [root / "qqp10k.csv"]
    return [*sources, _source("qqp10k", "text-classification", files, role="train", columns=columns)]


def _reviews(root: Path) -> list[dict[str, Any]]:
    kind = "sentiment-analysis"
    sources = [_source("mpqa", kind, [root / "mpqa.csv"], role="train")]
    tasks = sorted({file.name.rsplit(".", 1)[0] for file in (root / "arsc").iterdir()})
    for task in tasks:
        role = "test" if task.split(".")[0] in ARSC_TEST else "train"
        files = sorted((root / "arsc").glob(f"{task}.*"))
        sources.append(_source(f"arsc.{task}", kind, files, role=role, format="tsv", header=False))
    return sources


def _entities(root: Path) -> list[dict[str, Any]]:
    sources = []
    for file in sorted(root.rglob("*")):
        if file.is_file():
            name = ".".join(file.relative_to(root).with_suffix("").parts)
            role = "validation" if "support-sets" in name else SPLITS.get(file.stem, "train")
            sources.append(_source(f"ner.{name}", "ner", [file], role=role, format="conll"))
    return sources


if __name__ == "__main__":
    main()
