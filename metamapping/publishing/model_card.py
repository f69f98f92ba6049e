"""Model card: the README of a published folder, with the hub's metadata and the measured numbers.

It states what the encoder was trained on (sources, rows, licenses, fingerprints) and how, how it compares
with the encoder before meta-training, what its limits are, and how to load it with each supported library.

    card = model_card(config, corpus, history, cells, family="bert")
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from huggingface_hub import EvalResult, ModelCardData

from metamapping.config.schema import RunConfig
from metamapping.config.sources import Source
from metamapping.corpus.prepared import Corpus
from metamapping.publishing.int8_check import Int8Check, int8_markdown
from metamapping.rounds.metrics import metric_of
from metamapping.rounds.records import Cell, Round, RoundReport
from metamapping.rounds.tables import (
    markdown_table,
    measures_markdown,
    rounds_markdown,
    source_shots_markdown,
    source_shots_table,
)

# Licenses by the hub's identifiers; any other license is `other`, with its own name.
_LICENSES = {"apache-2.0", "mit", "cc0-1.0", "cc-by-3.0", "cc-by-4.0", "cc-by-sa-3.0", "cc-by-sa-4.0"}
_LICENSES |= {"cc-by-nc-4.0", "cc-by-nc-sa-4.0", "bsd-3-clause", "gpl-3.0", "odbl", "unlicense"}
_HUB_TASKS = {"ner": "token-classification"}
_CARD = """\
---
{metadata}
---
# {name}

An encoder meta-trained by metamapping. It adapts to a new language task from a few labelled examples, in
closed form and without gradients.

## How to use it
{usage}
## Training data
{sources}

{untrained}Tokenizer `{tokenizer}`. Texts are cleaned ({cleaners}) and read {max_length} tokens at a time.

## Training
Training started from {start}. Rounds: {num_rounds}; meta-steps: {meta_steps}; training time:
{seconds:.0f} seconds. {best} {sentence}

{rounds}

![learning curve](learning-curve.png)

## Results
Few-shot episodes of the test sources, which were used for nothing else in the run: {ways} ways,
{num_queries} queries per label, {num_episodes} episodes per source and number of shots. Scores are
accuracies; for named entities they are F1 of whole entities. The encoder before meta-training was measured on
the same episodes, with the same closed form. Intervals are 95 % confidence intervals.

{tests}

{int8}

## Limitations
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
_OTHER_LIBRARIES = """\
The features alone (the mean of the token states, at unit length) of texts that are already clean:

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
_UNCHANGED = """\
No round was clearly better than the encoder before meta-training, so that one is published here, unchanged.\
"""
_NO_OTHER_LIBRARIES = """\
`transformers`, `sentence-transformers` and `keras_hub.from_preset` cannot read this folder: only BERT,
RoBERTa, XLM-R, DistilBERT and GPT-2 encoders can be exported for them.
"""


def model_card(
    config: RunConfig,
    corpus: Corpus,
    history: list[Round],
    cells: list[Cell],
    *,
    family: str | None,
    int8: Int8Check | None = None,
) -> str:
    """Build a model card.

    Args:
        config: The run's configuration, with the train sources that were selected.
        corpus: The run's prepared corpus.
        history: All rounds of the run.
        cells: The scores on the test sources.
        family: Hugging Face's name for the encoder's architecture; ``None`` if it can only be read with
            KerasHub.
        int8: What 8 bits cost on the validation sources; ``None`` if that was not measured.

    Returns:
        Markdown that begins with the hub's metadata block.
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
        usage=_METAMAPPER + "\n" + (_NO_OTHER_LIBRARIES if family is None else _OTHER_LIBRARIES),
        sources=_sources_markdown([s for s in sources if s.name in trained], corpus),
        untrained=f"Prepared, but not trained on: {', '.join(unused)}. " if unused else "",
        tokenizer=corpus.tokenizer.fingerprint,
        cleaners=", ".join(config.cleaning.cleaners) or "nothing",
        max_length=config.encoder.max_length_tokens,
        start="random weights" if preset is None else f"`{_public_name(preset)}`",
        num_rounds=len(history),
        meta_steps=sum(training.meta_steps for training in trainings),
        seconds=sum(training.seconds for training in trainings),
        best=f"Round {best} is published here." if best else _UNCHANGED,
        sentence=history[-1].verdict.sentence,
        rounds=rounds_markdown(history),
        ways=config.evaluation.ways,
        num_queries=config.evaluation.num_queries,
        num_episodes=config.evaluation.num_episodes,
        tests="\n\n".join([source_shots_markdown(tests), *_measures(tests)]),
        int8=int8_markdown(int8),
        limits="\n".join(f"- {limit}" for limit in _limits(config, tests)),
    )


def _measures(tests: RoundReport) -> list[str]:
    """What was measured in addition to the scores of the test sources."""
    table = measures_markdown(tests)
    if not table:
        return []
    return [
        "Where texts have any number of labels, the score is macro-F1. Beside the scores, over all "
        "numbers of shots (MAE: mean absolute error in grades, lower is better):",
        table,
    ]


def _metadata(config: RunConfig, cells: list[Cell], family: str | None) -> ModelCardData:
    sources = config.sources_with("train")
    preset, languages = config.encoder.preset, config.filters.languages
    libraries = [] if family is None else ["sentence-transformers", "transformers", "keras-hub"]
    # The hub has one license per model, so it is only stated if all sources agree.
    licenses = {source.licence for source in sources}
    license_id, license_name = _hub_license(licenses.pop() if len(licenses) == 1 else "")
    return ModelCardData(
        model_name=config.name,
        language=languages or None,
        library_name="metamapping",
        pipeline_tag="feature-extraction",
        tags=["meta-learning", "few-shot", "text-classification", *libraries],
        base_model=preset.removeprefix("hf://") if preset and preset.startswith("hf://") else None,
        datasets=sorted({source.hub.path for source in sources if source.hub}) or None,
        eval_results=[_eval_result(config, cell) for cell in cells] or None,
        license=license_id,
        license_name=license_name,
    )


def _eval_result(config: RunConfig, cell: Cell) -> EvalResult:
    hubs = {source.name: source.hub.path for source in config.sources if source.hub is not None}
    return EvalResult(
        task_type=_HUB_TASKS.get(cell.task_type, "text-classification"),
        task_name=cell.task_type,
        dataset_type=hubs.get(cell.source, cell.source),
        dataset_name=f"{cell.source}, {cell.shots} shots",
        dataset_config=f"{cell.shots}-shot",  # the hub merges results of equal name and configuration
        metric_type="accuracy" if metric_of(cell) == "accuracy" else "f1",
        metric_value=round(float(np.mean(cell.scores)), 4),
    )


def _hub_license(name: str) -> tuple[str | None, str | None]:
    """The hub's identifier of a license, and the license's own name if the hub has none for it."""
    identifier = name.strip().lower().replace(" ", "-")
    if not identifier:
        return None, None
    return (identifier, None) if identifier in _LICENSES else ("other", identifier)


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
    return markdown_table(["source", "task type", "rows", "license", "fingerprint"], rows)


def _limits(config: RunConfig, tests: RoundReport) -> list[str]:
    """What the results do not cover, and the test sources on which training did not clearly help."""
    table = source_shots_table(tests)
    worse = table[table["difference_high"] < 0]
    unclear = table[(table["difference_low"] <= 0) & (table["difference_high"] >= 0)]
    limits = [
        "The results hold for tasks like the test sources; measure on your own before you rely on them.",
        "Label names are part of the input: names without a meaning (`1`, `x`) cost accuracy, and "
        "misleading names cost more.",
        f"Tokens beyond the first {config.encoder.max_length_tokens} of a text are ignored.",
    ]
    if not config.filters.languages:
        limits.append(
            "Training texts were not filtered by language: expect good results only in the languages of "
            "the sources."
        )
    for rows, judgement in ((worse, "Worse than"), (unclear, "Not clearly better than")):
        if len(rows):
            names = ", ".join(f"{row.source} at {row.shots} shots" for row in rows.itertuples())
            limits.append(f"{judgement} before meta-training on {names}.")
    return limits


def _public_name(preset: str) -> str:
    """A preset's address; of a local folder only its name, which reveals nothing about the machine."""
    return preset if "://" in preset else Path(preset).name
