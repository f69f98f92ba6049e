"""Training and evaluating as sources grow: the measurement `training` of `benchmarks.growth`.

Tokens are generated, not prepared: preparing is what `rows` measures. One shard set is both a train and a
validation source, so each size is trained on and evaluated. The encoder has one layer of 32 features, so that
the cost of reaching the rows is not hidden behind that of encoding them.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

NUM_LABELS, NUM_STEPS, MAX_LENGTH = 50, 40, 64
_ROWS_PER_WRITE = 100_000
_VOCABULARY_SIZE = 1_000
_NUM_TEST_ROWS = 5_000
_ROLES = {"large": "train", "held-out": "validation", "test": "test"}


def write_tokens(folder: Path, num_rows: int) -> None:
    """Write a corpus whose tokens are random numbers, 30 for each row on average.

    Args:
        folder: An existing folder, which becomes the home of a run.
        num_rows: Rows of the source.
    """
    from metamapping.config.encoder import EncoderSpec
    from metamapping.corpus.prepared import Corpus
    from metamapping.corpus.shards import TOKENS, ShardWriter
    from metamapping.corpus.tokenizer import write_tokenizer
    from metamapping.storage.artifacts import Reference, Stage, Store

    store = Store(folder)
    texts = [f"word{i} other{i}" for i in range(200)]
    spec = EncoderSpec.model_validate(_encoder())
    tokenizer = store.get_or_write(
        Stage("tokenizer", "corpus", 1, {}), lambda place: write_tokenizer(spec, texts, place)
    )
    high = min(_VOCABULARY_SIZE, tokenizer.counts["vocabulary_size"])

    def write_rows(name: str, count: int) -> Reference:
        def write(place: Path) -> dict[str, int]:
            rng = np.random.default_rng(0)
            with ShardWriter(place, TOKENS) as shards:
                for first in range(0, count, _ROWS_PER_WRITE):
                    shards.write(_rows(rng, first, min(_ROWS_PER_WRITE, count - first), high))
            return {"rows_in": count, "rows_out": count, "rejects": 0}

        return store.get_or_write(Stage("tokens", name, 1, {"rows": count}), write)

    large, test = write_rows("large", num_rows), write_rows("test", _NUM_TEST_ROWS)
    held_out = large.model_copy(update={"name": "held-out"})
    corpus = Corpus(tokens=[large, held_out, test], tokenizer=tokenizer)
    (folder / "corpus.json").write_text(corpus.model_dump_json())


def _rows(rng: np.random.Generator, first: int, count: int, vocabulary_size: int) -> pa.Table:
    from metamapping.corpus.ragged import Ragged, offsets_of
    from metamapping.corpus.shards import TOKENS

    offsets = offsets_of(rng.integers(6, 55, count))
    ids = Ragged(rng.integers(5, vocabulary_size, offsets[-1], dtype=np.int32), offsets)
    columns: dict[str, Any] = {
        "source": pa.repeat("large", count),
        "row": pa.array(np.arange(first, first + count)),
        "text": pa.array([f"the text of row number {i}, as long as a short question" for i in range(count)]),
        "label": pa.array([f"label {label}" for label in rng.integers(0, NUM_LABELS, count)]),
        "tags": pa.nulls(count, pa.list_(pa.string())),
        "token_ids": ids.to_arrow(np.int32),
        "segment_ids": Ragged(np.zeros_like(ids.values), offsets).to_arrow(np.int8),
        "word_starts": pa.nulls(count, pa.list_(pa.int32())),
        "word_shapes": pa.nulls(count, pa.list_(pa.int8())),
    }
    return pa.table(columns, schema=TOKENS)


def measure(folder: Path, lap: Callable[[str], None]) -> None:
    """Open a run on the corpus in a folder, take the first steps, and evaluate the encoder.

    Args:
        folder: The folder that ``write_tokens`` has filled.
        lap: Called after each part with its name.
    """
    from metamapping.config.loading import parse_config
    from metamapping.corpus.prepared import Corpus
    from metamapping.runs.measuring import measure_stage
    from metamapping.runs.round_training import train_stage
    from metamapping.runs.stages import initialise_stage, open_run

    corpus = Corpus.model_validate_json((folder / "corpus.json").read_bytes())
    for name in _ROLES:
        (folder / f"{name}.csv").write_text(f"text,label\n{name},a\n")
    config = parse_config(_configuration(folder))
    run = open_run(config, corpus)
    lap("open the run")
    initialise_stage(run)
    lap("build the encoder")

    class EnoughError(Exception):
        pass

    def on_step(step: int, loss: float) -> None:
        if step == 1:
            lap("first meta-step")
        if step == 1 + NUM_STEPS:
            lap(f"{NUM_STEPS} more")
            raise EnoughError

    try:
        train_stage(run, 1, on_step=on_step)
    except EnoughError:
        measure_stage(run, 0, role="validation")
        lap("evaluate")


def _encoder() -> dict[str, Any]:
    scratch = {"num_layers": 1, "num_heads": 2, "hidden_dim": 32, "intermediate_dim": 32}
    return {"scratch": scratch, "max_length_tokens": MAX_LENGTH}


def _configuration(folder: Path) -> dict[str, Any]:
    sources = [
        {
            "name": name,
            "task_type": "text-classification",
            "role": role,
            "files": [str(folder / f"{name}.csv")],
        }
        for name, role in _ROLES.items()
    ]
    return {
        "name": "growth",
        "home": str(folder),
        "sources": sources,
        "encoder": _encoder(),
        "training": {"meta_steps": 1_000, "checkpoint_every_steps": 1_000},
        "evaluation": {"num_episodes": 20, "shots": [1, 4]},
    }
