"""Toy label spaces and a tiny BERT for the tests of models and training; no files are read."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from metamapping.config.encoder import EncoderSpec, ScratchEncoder
from metamapping.config.episodes import EpisodeSpec
from metamapping.config.sources import Source
from metamapping.config.training import TrainingSpec
from metamapping.corpus.shards import LABELS, TOKENS
from metamapping.episodes.label_space import LabelSpace, build_label_space

VOCABULARY_SIZE = 100
EPISODES = EpisodeSpec(max_ways=4, num_texts=16, num_splits=4, max_shots=3, max_ner_words=32)
TRAINING = TrainingSpec(
    meta_steps=6, learning_rate=1e-3, warmup_steps=2, checkpoint_every_steps=2, mapping_learning_rate_factor=5
)
ENCODER = EncoderSpec(
    scratch=ScratchEncoder(
        vocabulary_size=VOCABULARY_SIZE, num_layers=1, num_heads=2, hidden_dim=16, intermediate_dim=32
    ),
    max_length_tokens=16,
)


def tokenize_names(names):
    return [[1, 10 + sum(map(ord, name)) % 80, 2] for name in names]


def text_space(name="toys", *, labels=("a", "b", "c"), per_label=12, pairs=False, role="train") -> LabelSpace:
    """Texts whose tokens reveal their label: each is 20 + 10 · label + noise."""
    rng = np.random.default_rng(len(name))
    rows = []
    for i, label in enumerate(labels):
        for _ in range(per_label):
            words = (20 + 10 * i + rng.integers(0, 8, size=rng.integers(2, 6))).tolist()
            rows.append((label, [1, *words, 2]))
    segments = [[0] * (len(ids) - 2) + [int(pairs)] * 2 for _, ids in rows]
    table = token_table(rows=[(label, None, ids, None) for label, ids in rows], name=name, segments=segments)
    source = Source(name=name, task_type="text-classification", role=role, files=["x"])
    return build_label_space(source, table, role=role, tokenize_names=tokenize_names)


def label_set_space(name="sets", *, num_rows=60, role="train") -> LabelSpace:
    """Texts with any number of three labels, whose tokens reveal them: each label adds a token of its own."""
    rng = np.random.default_rng(len(name))
    rows, lists = [], []
    for _ in range(num_rows):
        has = rng.random(3) < 0.4
        words = [20 + 10 * i + int(rng.integers(0, 8)) for i in np.flatnonzero(has)]
        rows.append((None, None, [1, *words, int(rng.integers(50, 60)), 2], None))
        lists.append([label for label, is_there in zip("abc", has, strict=True) if is_there])
    table = token_table(rows, name).append_column(LABELS, pa.array(lists, LABELS.type))
    source = Source(name=name, task_type="text-classification", role=role, files=["x"], multi_label=True)
    return build_label_space(source, table, role=role, tokenize_names=tokenize_names)


def ner_space(name="entities", *, per_type=8, role="train") -> LabelSpace:
    """Sentences of five words; words three and four are an entity whose tokens reveal its type."""
    rng = np.random.default_rng(len(name))
    rows = []
    for i, kind in enumerate(("person", "place")):
        for _ in range(per_type):
            ids = [
                1,
                *rng.integers(40, 60, 2),
                *(20 + 10 * i + rng.integers(0, 8, 2)),
                rng.integers(40, 60),
                2,
            ]
            tags = ["O", "O", f"B-{kind}", f"I-{kind}", "O"]
            rows.append((None, tags, [int(x) for x in ids], [1, 2, 3, 4, 5]))
    source = Source(name=name, task_type="ner", role=role, files=["x"])
    return build_label_space(source, token_table(rows, name), role=role, tokenize_names=tokenize_names)


def token_table(rows, name, segments=None) -> pa.Table:
    """A ``tokens`` table from rows of label, tags, token ids and word starts."""
    columns = list(zip(*rows, strict=True))
    count = len(rows)
    return pa.table(
        {
            "source": [name] * count,
            "row": list(range(count)),
            "text": ["toy"] * count,
            "label": list(columns[0]),
            "tags": list(columns[1]),
            "token_ids": list(columns[2]),
            "segment_ids": segments or [[0] * len(ids) for ids in columns[2]],
            "word_starts": list(columns[3]),
            "word_shapes": [starts if starts is None else [0] * len(starts) for starts in columns[3]],
        },
        schema=TOKENS,
    )
