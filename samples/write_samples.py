"""Write the sample sources of ``make demo`` into a folder, always the same bytes.

    python samples/write_samples.py [folder]

In: the phrases and templates of the other modules here. Out: 24 files, of which reviews and messages are CSV,
TSV and JSONL, pairs are JSONL and CSV, and sentences with named entities are CoNLL. No text is in two files.
About one row in a hundred is dirty on purpose (no text, no label, or an exact repetition), so that cleaning
has something to do.
"""

from __future__ import annotations

import csv
import io
import json
import random
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import entities
import intents
import pairs
import sentiment
from entities import Notes, Sentence
from pairs import Pair

SEED = 20
BINARY, GRADED = ("positive", "negative"), ("positive", "neutral", "negative")

Row = tuple[str, ...]


def write_samples(folder: Path) -> None:
    """Write every sample source into ``folder``, which must exist."""
    used: set[str] = set()  # the texts of all sources so far
    for domain, labels, suffix in REVIEWS:
        rows: list[Row] = []
        codes = {"positive": "1", "negative": "-1"} if domain.name in SIGNED else {}
        for label in labels:
            reviews = sentiment.sample_reviews(domain, _rng(domain.name, label), label)
            texts = _new_texts(reviews, 330 // len(labels), used)
            rows += [(text, codes.get(label, label)) for text in texts]
        _write_table(folder / f"{domain.name}.{suffix}", ("review", "rating"), rows)
    for desk, suffix in DESKS:
        rows = []
        for intent in desk.intents:
            messages = intents.sample_messages(desk, _rng(desk.name, intent.label), intent.label)
            rows += [(text, intent.label) for text in _new_texts(messages, 42, used)]
        _write_table(folder / f"{desk.name}.{suffix}", ("text", "intent"), rows)
    for name, sample, labels, columns, suffix in PAIRS:
        rows = []
        for label in labels:
            found = _new_pairs(sample(_rng(name, label), label), 200, used)
            rows += [(*pair, label) for pair in found]
        _write_table(folder / f"{name}.{suffix}", columns, rows)
    for notes, separator in NOTES:
        sentences = _new_sentences(notes, 320, used)
        _write_conll(folder / f"{notes.name}.conll", sentences, separator)


REVIEWS = [
    (sentiment.COFFEE_SHOP, GRADED, "csv"),
    (sentiment.HOTEL, GRADED, "jsonl"),
    (sentiment.HEADPHONES, BINARY, "tsv"),
    (sentiment.BOOKS, GRADED, "tsv"),
    (sentiment.BICYCLE, BINARY, "csv"),
    (sentiment.PHONE_APP, GRADED, "jsonl"),
    (sentiment.GARDEN_TOOLS, BINARY, "csv"),
    (sentiment.RESTAURANT, GRADED, "jsonl"),
]
SIGNED = {"headphones", "garden-tools"}  # sources whose labels are 1 and -1
DESKS = [
    (intents.BANK, "csv"),
    (intents.TRAIN_TRAVEL, "jsonl"),
    (intents.INTERNET, "tsv"),
    (intents.LIBRARY, "csv"),
    (intents.GYM, "csv"),
    (intents.POST_OFFICE, "tsv"),
    (intents.INSURANCE, "jsonl"),
    (intents.ONLINE_SHOP, "csv"),
]
PAIRS = [
    (
        "home-questions",
        pairs.sample_questions,
        (pairs.SAME, pairs.DIFFERENT),
        ("question1", "question2", "meaning"),
        "csv",
    ),
    (
        "home-statements",
        pairs.sample_statements,
        (pairs.FOLLOWS, pairs.CONTRADICTS),
        ("premise", "hypothesis", "label"),
        "jsonl",
    ),
    (
        "village-news",
        pairs.sample_village_news,
        (pairs.SAME, pairs.DIFFERENT),
        ("sentence1", "sentence2", "meaning"),
        "jsonl",
    ),
]
NOTES = [
    (entities.NEWS, " "),
    (entities.ORDERS, "\t"),
    (entities.EVENTS, " "),
    (entities.DOCTOR, "\t"),
    (entities.SPORTS, " "),
]


def _rng(*names: str) -> random.Random:
    # A generator for each source and label, so that a change in one leaves the others unchanged.
    return random.Random(f"{SEED} {' '.join(names)}")  # noqa: S311 - sample text, no secret


def _new_texts(texts: Iterator[str], count: int, used: set[str]) -> list[str]:
    """The first ``count`` texts that are not in ``used``; adds them to it."""
    found: list[str] = []
    while len(found) < count:
        text = next(texts)
        if _key(text) not in used:
            used.add(_key(text))
            found.append(text)
    return found


def _new_pairs(samples: Iterator[Pair], count: int, used: set[str]) -> list[Pair]:
    found: list[Pair] = []
    while len(found) < count:
        pair = next(samples)
        if _key(" | ".join(pair)) not in used:
            used.add(_key(" | ".join(pair)))
            found.append(pair)
    return found


def _new_sentences(notes: Notes, count: int, used: set[str]) -> list[Sentence]:
    samples = entities.sample_sentences(notes, _rng(notes.name))
    found: list[Sentence] = []
    while len(found) < count:
        sentence = next(samples)
        key = _key(" ".join(word for word, _ in sentence))
        if key not in used:
            used.add(key)
            found.append(sentence)
    rng = _rng(notes.name, "repeated")
    for _ in range(3):
        found.insert(rng.randrange(len(found)), rng.choice(found))
    return found


def _key(text: str) -> str:
    return " ".join(text.casefold().split())


def _shuffled_with_dirt(rows: list[Row], rng: random.Random) -> list[Row]:
    """The rows in random order, with two rows without text, two without label and two repetitions."""
    rows = list(rows)
    rng.shuffle(rows)
    without_text, without_label = (*[""] * (len(rows[0]) - 1), rows[0][-1]), (*rows[1][:-1], "")
    for row in [without_text, without_label, without_text, without_label, *rng.sample(rows, 2)]:
        rows.insert(rng.randrange(len(rows)), row)
    return rows


def _write_table(path: Path, columns: Sequence[str], rows: list[Row]) -> None:
    rows = _shuffled_with_dirt(rows, _rng(path.stem, "rows"))
    if path.suffix == ".jsonl":
        records = (dict(zip(columns, [*row[:-1], row[-1] or None], strict=True)) for row in rows)
        text = "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)
    else:
        buffer = io.StringIO()
        tabs = path.suffix == ".tsv"
        writer = csv.writer(buffer, delimiter="\t" if tabs else ",", lineterminator="\n")
        writer.writerows(rows if tabs else [columns, *rows])
        text = buffer.getvalue()
    path.write_text(text, encoding="utf-8", newline="\n")


def _write_conll(path: Path, sentences: list[Sentence], separator: str) -> None:
    blocks = ("".join(f"{word}{separator}{tag}\n" for word, tag in s) for s in sentences)
    path.write_text("\n".join(blocks), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    write_samples(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
