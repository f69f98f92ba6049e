"""The model card: a published folder's README, with the hub's metadata and measured numbers.

What it was trained on (sources, rows, licences, fingerprints), how, how good it is beside the
untrained encoder, what it is not good for, and five lines for each door.

    card = model_card(config, corpus, history, cells, family="bert")
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from huggingface_hub import EvalResult, ModelCardData

from metamapping.config.schema import RunConfig
from metamapping.config.sources import Source
from metamapping.corpus.prepared import Corpus
from metamapping.rounds.records import Cell, Round, RoundReport
from metamapping.rounds.tables import (
    markdown_table,
    rounds_markdown,
    source_shots_markdown,
    source_shots_table,
)

# Licences as the hub writes them; any other is `other`, under its own name.
_LICENCES = {"apache-2.0", "mit", "cc0-1.0", "cc-by-3.0", "cc-by-4.0", "cc-by-sa-3.0", "cc-by-sa-4.0"}
_LICENCES |= {"cc-by-nc-4.0", "cc-by-nc-sa-4.0", "bsd-3-clause", "gpl-3.0", "odbl", "unlicense"}
_HUB_TASKS = {"ner": "token-classification"}
_CARD = """\
---
{metadata}
---
# {name}

An encoder meta-trained by metamapping: a new language task costs it a few examples and no gradient.

{doors}
## What it was trained on
{sources}

{untrained}Tokenizer `{tokenizer}`. Texts are cleaned ({cleaners}) and cut to {max_length} tokens.

## How
Started from {start}. Rounds: {num_rounds}; meta-steps: {meta_steps}; training: {seconds:.0f} seconds.
Round {best} is published here. {sentence}

{rounds}

![learning curve](learning-curve.png)

## How good it is
Few-shot episodes of the test sources, which nothing else of the run has seen: {ways} ways,
{num_queries} queries a label, {num_episodes} episodes a cell; accuracy, for named entities F1 of
whole entities. The untrained encoder stands beside it, with the same closed form on the same
episodes. Intervals are 95 %.

{tests}

## Limits
{limits}
"""
_METAMAPPER = """\
```python
from metamapping import MetaMapper

mapper = MetaMapper.from_pretrained("path/to/this/folder")
mapping = mapper.adapt(texts, labels)
mapping.predict(new_texts)
```
"""
_DOORS = """\
Its features alone, the mean of the token states at unit length, of texts that are clean already:

```python
from sentence_transformers import SentenceTransformer

SentenceTransformer("path/to/this/folder").encode(texts)
```

The encoder alone, in PyTorch and in Keras:

```python
from transformers import AutoModel, AutoTokenizer

model = AutoModel.from_pretrained("path/to/this/folder")
tokenizer = AutoTokenizer.from_pretrained("path/to/this/folder")
```

```python
import keras_hub

backbone = keras_hub.models.Backbone.from_preset("path/to/this/folder")
tokenizer = keras_hub.models.Tokenizer.from_preset("path/to/this/folder")
```
"""
_ONE_DOOR = """\
`transformers`, `sentence-transformers` and `keras_hub.from_preset` cannot read this folder: it can be
written for them from BERT, RoBERTa, DistilBERT and GPT-2 alone.
"""


def model_card(
    config: RunConfig, corpus: Corpus, history: list[Round], cells: list[Cell], *, family: str | None
) -> str:
    """Markdown with the hub's metadata block.

    ``cells``: the test sources' scores. ``family``: the encoder's, ``None`` where KerasHub alone
    knows it.
    """
    best = history[-1].verdict.best_round
    report = history[max(best, 1) - 1].report
    tests = RoundReport(round=best, checkpoint=report.checkpoint, training=report.training, cells=cells)
    trainings = [judged.report.training for judged in history]
    trained = {name for training in trainings for name in training.source_losses}
    sources = config.sources_with("train")
    unused = [source.name for source in sources if source.name not in trained]
    preset = config.encoder.preset
    return _CARD.format(
        metadata=_metadata(config, cells, family).to_yaml(),
        name=config.name,
        doors=_METAMAPPER + "\n" + (_ONE_DOOR if family is None else _DOORS),
        sources=_sources_markdown([s for s in sources if s.name in trained], corpus),
        untrained=f"Prepared, but not trained on: {', '.join(unused)}. " if unused else "",
        tokenizer=corpus.tokenizer.fingerprint,
        cleaners=", ".join(config.cleaning.cleaners) or "nothing",
        max_length=config.encoder.max_length_tokens,
        start="random weights" if preset is None else f"`{_shown(preset)}`",
        num_rounds=len(history),
        meta_steps=sum(training.meta_steps for training in trainings),
        seconds=sum(training.seconds for training in trainings),
        best=f"{best}" if best else "0, the untrained encoder,",
        sentence=history[-1].verdict.sentence,
        rounds=rounds_markdown(history),
        ways=config.evaluation.ways,
        num_queries=config.evaluation.num_queries,
        num_episodes=config.evaluation.num_episodes,
        tests=source_shots_markdown(tests),
        limits="\n".join(f"- {limit}" for limit in _limits(config, tests)),
    )


def _metadata(config: RunConfig, cells: list[Cell], family: str | None) -> ModelCardData:
    sources = config.sources_with("train")
    preset, languages = config.encoder.preset, config.filters.languages
    doors = [] if family is None else ["sentence-transformers", "transformers", "keras-hub"]
    licences = {source.licence for source in sources}
    licence, licence_name = _licence(licences.pop() if len(licences) == 1 else "")
    return ModelCardData(
        model_name=config.name,
        language=languages or None,
        library_name="metamapping",
        pipeline_tag="feature-extraction",
        tags=["meta-learning", "few-shot", "text-classification", *doors],
        base_model=preset.removeprefix("hf://") if preset and preset.startswith("hf://") else None,
        datasets=sorted({source.hub.path for source in sources if source.hub}) or None,
        eval_results=[_eval_result(config, cell) for cell in cells] or None,
        license=licence,
        license_name=licence_name,
    )


def _eval_result(config: RunConfig, cell: Cell) -> EvalResult:
    hubs = {source.name: source.hub.path for source in config.sources if source.hub is not None}
    return EvalResult(
        task_type=_HUB_TASKS.get(cell.task_type, "text-classification"),
        task_name=cell.task_type,
        dataset_type=hubs.get(cell.source, cell.source),
        dataset_name=f"{cell.source}, {cell.shots} shots",
        dataset_config=f"{cell.shots}-shot",  # results of one name and configuration are merged
        metric_type="f1" if cell.task_type == "ner" else "accuracy",
        metric_value=round(float(np.mean(cell.scores)), 4),
    )


def _licence(licence: str) -> tuple[str | None, str | None]:
    """The hub's word for a licence, and the name of one that it has no word for."""
    known = licence.strip().lower().replace(" ", "-")
    if not known:
        return None, None
    return (known, None) if known in _LICENCES else ("other", known)


def _sources_markdown(sources: list[Source], corpus: Corpus) -> str:
    tokens = {reference.name: reference for reference in corpus.tokens}
    rows = [
        [
            source.name,
            source.task_type,
            f"{tokens[source.name].counts['rows_out']:,}",
            source.licence or "not stated",
            f"`{tokens[source.name].fingerprint}`",
        ]
        for source in sources
    ]
    return markdown_table(["source", "task type", "rows", "licence", "fingerprint"], rows)


def _limits(config: RunConfig, tests: RoundReport) -> list[str]:
    """What the numbers do not say, and which of them speak against it."""
    table = source_shots_table(tests)
    worse = table[table["difference_high"] < 0]
    unclear = table[(table["difference_low"] <= 0) & (table["difference_high"] >= 0)]
    limits = [
        "The numbers hold for tasks like the test sources; measure your own before you rely on it.",
        "The names of labels are part of the input: labels without a meaning (`1`, `x`) cost accuracy, "
        "and misleading ones more.",
        f"Tokens beyond the first {config.encoder.max_length_tokens} of a text are not read.",
    ]
    if not config.filters.languages:
        limits.append("No language was filtered for: expect no other than those of the sources.")
    for rows, words in ((worse, "Worse than"), (unclear, "Not clearly better than")):
        if len(rows):
            names = ", ".join(f"{row.source} at {row.shots} shots" for row in rows.itertuples())
            limits.append(f"{words} the untrained encoder on {names}.")
    return limits


def _shown(preset: str) -> str:
    """An address as it is; of a folder its name, since where it lay is nobody's business."""
    return preset if "://" in preset else Path(preset).name
