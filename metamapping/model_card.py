"""The model card: a published folder's README, in plain words and measured numbers."""

from __future__ import annotations

from metamapping.adjustment import Round
from metamapping.config import RunConfig
from metamapping.reports import Cell, RoundReport, rounds_markdown, source_shots_markdown

_CARD = """\
---
library_name: metamapping
tags:
- meta-learning
- few-shot
- {encoder}
---
# {name}

An encoder meta-trained by metamapping: a new language task costs it a few examples and no gradient.

```python
from metamapping import MetaMapper

mapper = MetaMapper.from_pretrained("path/to/this/folder")
mapping = mapper.adapt(texts, labels)
mapping.predict(new_texts)
```

## How it was trained
Started from {start}. {sentence}

{rounds}

![learning curve](learning-curve.png)

Sources trained on: {sources}.

## How good it is
Few-shot episodes of the test sources, which nothing else of the run has seen: {ways} ways,
{num_queries} queries a label, {num_episodes} episodes a cell; the untrained encoder stands beside
it, on the same episodes. Intervals are 95 %.

{tests}
"""


def model_card(config: RunConfig, history: list[Round], cells: list[Cell]) -> str:
    """Markdown with the hub's metadata block. ``cells``: the test sources' scores."""
    best = history[-1].verdict.best_round
    report = history[max(best, 1) - 1].report
    encoder, evaluation = config.encoder, config.evaluation
    return _CARD.format(
        name=config.name,
        encoder="bert" if encoder.scratch else "pretrained",
        start=f"`{encoder.preset}`" if encoder.preset else "random weights",
        sentence=history[-1].verdict.sentence,
        rounds=rounds_markdown(history),
        sources=", ".join(_described(config)),
        ways=evaluation.ways,
        num_queries=evaluation.num_queries,
        num_episodes=evaluation.num_episodes,
        tests=source_shots_markdown(
            RoundReport(round=best, checkpoint=report.checkpoint, training=report.training, cells=cells)
        ),
    )


def _described(config: RunConfig) -> list[str]:
    return [
        f"{source.name} ({source.task_type}{', ' + source.licence if source.licence else ''})"
        for source in config.sources_with("train")
    ]
