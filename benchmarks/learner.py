"""Speed of the learner: a meta-step compared with PyTorch, and adapting compared with the encoder alone.

    METAMAPPING_DATA=path/to/data python -m benchmarks.learner [--steps 12]

In: BANKING77 and the packaged encoder; needs `requirements/torch.txt`. Both loops train on the same batches
with the same encoder and the same frozen layers, and solve the same ridge regressions. The PyTorch loop is
written here with `transformers` and `torch.linalg`, and pads to the longest text of a batch. Out: medians of
seconds, and ratios, as Markdown.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from benchmarks.real_run import packaged_encoder
from metamapping import MetaMapper
from metamapping.config.corpus import CleaningSpec
from metamapping.config.encoder import EncoderSpec
from metamapping.config.episodes import EpisodeSpec
from metamapping.config.training import TrainingSpec
from metamapping.corpus.ragged import Ragged
from metamapping.corpus.tokenization import encode_texts, load_tokenizer
from metamapping.episodes.batches import build_batch
from metamapping.episodes.label_space import LabelSpace
from metamapping.episodes.padding import Batch
from metamapping.episodes.sampler import sample_batch
from metamapping.models.encoder import Encoder
from metamapping.models.mapping import MetaMapping
from metamapping.publishing.published_model import PublishedModel
from metamapping.training.learner import Learner, build_learner
from metamapping.training.replicas import Replicas

EPISODES = EpisodeSpec()
MAX_TOKENS = 64


def main() -> None:
    """Print the tables of "Speed of the learner" in benchmarks/README.md.

    They compare a meta-step of metamapping with the same meta-step in PyTorch and with the machine's peak,
    and adapting to a task with the encoder's own passes. On two idle cores, eight steps of both loops take
    about 20 seconds, in addition to imports and compilation. The section's table of groups is not printed.
    """
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--steps", type=int, default=12, help="timed meta-steps of each loop")
    parser.add_argument("--trainable-layers", type=int, help="train only the upper layers")
    options = parser.parse_args()
    encoder = os.environ.get("METAMAPPING_ENCODER") or packaged_encoder()
    spec = EncoderSpec(
        preset=encoder, max_length_tokens=MAX_TOKENS, trainable_layers=options.trainable_layers
    )
    training = TrainingSpec(solver="plain-ridge")
    learner = build_learner(spec, training, vocabulary_size=30_522, seed=0)
    space = _read_banking77(encoder)
    batches = [_batch(space, i) for i in range(options.steps)]
    steps = {
        "metamapping": _metamapping_step(learner, training),
        "PyTorch": _torch_step(encoder, options.trainable_layers),
    }
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    for step in steps.values():
        step(batches[0])  # compiles
    for batch in batches:  # in alternation, so that other work on the machine slows both alike
        for name, step in steps.items():
            started = time.perf_counter()
            step(batch)
            seconds[name].append(time.perf_counter() - started)
    peak = _peak_flops_per_second()
    tokens = float(np.mean([batch["padding_mask"].sum() for batch in batches]))
    padded = float(np.mean([batch["padding_mask"].size for batch in batches]))
    print("| loop | seconds a meta-step (median) | share of the peak |\n| --- | --- | --- |")
    for name, each in seconds.items():
        share = flops_of_tokens(learner, tokens) / np.median(each) / peak
        print(f"| {name} | {np.median(each):.3f} | {share:.0%} |")
    ratio = np.median(np.asarray(seconds["PyTorch"]) / np.asarray(seconds["metamapping"]))
    print(f"\n{ratio:.2f} times as many meta-steps per second as PyTorch.")
    print(f"Peak: {peak / 1e9:.0f} GFLOP/s, a float32 product of 2048 × 2048.")
    grouped = float(np.mean([num_padded_tokens(batch) for batch in batches]))
    print(
        f"A batch has {tokens:.0f} tokens, which the longest text pads to {padded:.0f} and shared rows to "
        f"{grouped:.0f} ({1 - tokens / grouped:.0%} padding).\n"
    )
    _print_adapting(learner.encoder, encoder)


def _read_banking77(encoder: str) -> LabelSpace:
    import json

    path = Path(os.environ["METAMAPPING_DATA"]) / "text-classification" / "banking77.jsonl"
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    tokenizer = load_tokenizer(encoder, max_length_tokens=MAX_TOKENS)
    labels = sorted({row["label"] for row in rows})
    label_of = np.searchsorted(labels, [row["label"] for row in rows])
    token_ids = Ragged.from_lists(encode_texts(tokenizer, [row["text"] for row in rows]).token_ids, np.int32)
    names = [label.replace("_", " ").lower() for label in labels]
    return LabelSpace(
        source="banking77",
        task_type="text-classification",
        labels=tuple(labels),
        label_names=tuple(names),
        name_tokens=Ragged.from_lists(encode_texts(tokenizer, names).token_ids, np.int32),
        token_ids=token_ids,
        segment_ids=Ragged(np.zeros(len(token_ids.values), np.int8), token_ids.offsets),
        rows_of=tuple(np.flatnonzero(label_of == c) for c in range(len(labels))),
        label_of=label_of.astype(np.int32),
    )


def num_padded_tokens(batch: Batch) -> int:
    """Number of positions that pass the encoder, where texts share rows."""
    return int(batch["packed_shapes"].prod(axis=1).sum())


def _batch(space: LabelSpace, index: int) -> Batch:
    return build_batch(space, sample_batch(np.random.default_rng(index), [space], {}, EPISODES), EPISODES)


def _metamapping_step(learner: Learner, training: TrainingSpec) -> Callable[[Batch], float]:
    replicas = Replicas(learner, training)
    learner.encoder_optimizer.learning_rate = learner.mapping_optimizer.learning_rate = 1e-5
    return lambda batch: float(replicas.update({0: batch}, 1)[0][0])


def _torch_step(encoder: str, trainable_layers: int | None) -> Callable[[Batch], float]:
    """The same meta-step in PyTorch: prior, ridge in closed form, cross-entropy of the queries."""
    import torch
    from torch.nn import functional
    from transformers import AutoModel

    model = AutoModel.from_pretrained(encoder, add_pooling_layer=False)
    if trainable_layers is not None:
        model.requires_grad_(False)
        for layer in list(model.encoder.layer)[len(model.encoder.layer) - trainable_layers :]:
            layer.requires_grad_(True)
    model.eval()  # without dropout, as in metamapping
    d = model.config.hidden_size
    prior, bias, label_map = (
        torch.nn.Parameter(value) for value in (torch.eye(d), torch.zeros(d), torch.eye(d))
    )
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW([*trained, prior, bias, label_map], lr=1e-5)

    def features(token_ids: Any, mask: Any) -> Any:
        states = model(input_ids=token_ids, attention_mask=mask).last_hidden_state
        weights = mask[..., None].float()
        return functional.normalize((states * weights).sum(1) / weights.sum(1).clamp(min=1), dim=-1)

    def step(batch: Batch) -> float:
        b = {key: torch.from_numpy(value) for key, value in batch.items()}
        longest = int(b["padding_mask"].sum(1).max())
        x = features(b["token_ids"][:, :longest].long(), b["padding_mask"][:, :longest])
        names = features(b["label_token_ids"].long(), b["label_padding_mask"]) @ label_map
        mask = b["label_mask"]
        count = mask.sum(1)[:, None, None].clamp(min=1)
        mean = (names * mask[..., None]).sum(1, keepdim=True) / count
        G = functional.normalize((names - mean) * mask[..., None], dim=-1)
        P = torch.einsum("fm,scm->sfc", torch.cat([prior, bias[None]]), G)
        H = torch.cat([x, torch.ones(len(x), 1)], dim=1)
        one_hot = functional.one_hot(b["targets"].long(), mask.shape[1]).float()
        Y = (one_hot - 1 / count) * mask[:, None]
        s = b["support"][..., None]
        alpha = torch.where(s.sum((1, 2), keepdim=True) > 0, 0.5, 1.0)
        gram = H @ H.T * s * s.transpose(1, 2) + torch.eye(len(x))
        dual = torch.cholesky_solve(s * (Y - alpha * (H @ P)), torch.linalg.cholesky(gram))
        logits = 10 * (H @ (alpha * P + H.T @ (s * dual))) + (mask[:, None] - 1) * 1e9
        losses = functional.cross_entropy(
            logits.flatten(0, 1), b["targets"].long().repeat(len(mask)), reduction="none"
        )
        losses = torch.where(b["query"] > 0, losses.reshape(b["query"].shape), 0.0)
        loss = (losses.sum(1) / b["query"].sum(1).clamp(min=1)).mean()
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_([*trained, prior, bias, label_map], 1.0)
        optimizer.step()
        return float(loss)

    return step


def _peak_flops_per_second() -> float:
    """Floating-point operations per second of a large float32 product, the best of six."""
    a = tf.random.stateless_normal((2048, 2048), (0, 0))
    best = 0.0
    for _ in range(6):
        started = time.perf_counter()
        tf.matmul(a, a).numpy()
        best = max(best, 2 * 2048**3 / (time.perf_counter() - started))
    return best


def flops_of_tokens(learner: Learner, tokens: float) -> float:
    """Floating-point operations of a step: for each weight and token two forward and four backward.

    Frozen layers have no backward pass. The products within attention are left out.
    """
    layers = learner.encoder.backbone.layers
    blocks = [layer for layer in layers if layer.name.startswith("transformer_layer")]
    return sum(layer.count_params() * tokens * (6 if layer.trainable else 2) for layer in blocks)


def _print_adapting(encoder: Encoder, folder: str) -> None:
    """Compare adapting to 5 labels × 5 examples, plus one prediction, with encoding the same texts alone."""
    mapping = MetaMapping(encoder.dim)  # with the default solver
    model = PublishedModel(encoder, mapping, Path(folder), MAX_TOKENS, CleaningSpec())
    mapper = MetaMapper(model, progress=False)
    texts = [f"where is the parcel number {i} that i ordered last week" for i in range(26)]
    labels = [f"label {i % 5}" for i in range(25)]
    names = sorted(set(labels))

    def adapt() -> None:
        mapper.adapt(texts[:25], labels).predict(texts[25:])

    def encode() -> None:
        mapper.featurizer.texts(texts[:25], None)
        mapper.featurizer.texts(texts[25:], None)
        mapper.featurizer.names(names)

    seconds: dict[str, list[float]] = {"adapt": [], "encode": []}
    for i in range(25):
        for name, call in (("adapt", adapt), ("encode", encode)):
            started = time.perf_counter()
            call()
            if i >= 5:  # the first calls compile
                seconds[name].append(time.perf_counter() - started)
    adapting, encoding = (np.median(seconds[name]) for name in ("adapt", "encode"))
    print("| operation | milliseconds (median) |\n| --- | --- |")
    print(f"| adapt to 5 labels × 5 examples, predict one text | {1000 * adapting:.1f} |")
    print(f"| encode the same 26 texts and 5 names | {1000 * encoding:.1f} |")
    ratio = adapting / encoding
    print(f"\nAdapting and predicting take {ratio:.2f} times as long as the encoder's own passes.")


if __name__ == "__main__":
    main()
