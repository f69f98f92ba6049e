"""A page about training on this machine's GPU: speed, equality with the CPU, precision, XLA, devices, input.

    make gpu-check                                   # python -m benchmarks.gpu_check --out gpu-check.md

In: nothing. An encoder with random weights is trained on random tokens, for which speed is the same as for
real ones, so that nothing has to be downloaded. Out: a page of Markdown with a verdict for each check, and
the exit status 1 if a check failed. Every GPU run is compared with the same meta-steps on the CPU. Without a
GPU, a smaller encoder is checked on the CPU, which shows in a minute that the checks themselves run.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.gpu_page import SIZES, Measured, Mirrored, render

if TYPE_CHECKING:  # takes seconds, which --help should not
    from metamapping.episodes.label_space import LabelSpace
    from metamapping.episodes.padding import Batch
    from metamapping.training.learner import Learner
    from metamapping.training.replicas import Replicas

VARIANTS: dict[str, dict[str, Any]] = {
    "float32": {},
    "float32, XLA": {"jit_compile": True},
    "bfloat16": {"precision": "mixed_bfloat16"},
    "bfloat16, XLA": {"precision": "mixed_bfloat16", "jit_compile": True},
    "float16": {"precision": "mixed_float16"},
}
# Meta-steps that are compared with the CPU, and those that are timed.
NUM_COMPARED, NUM_TIMED, NUM_TIMED_ON_CPU = 5, 30, 3
_VOCABULARY_SIZE, _NUM_LABELS, _NUM_ROWS = 30_000, 20, 4_000


def main() -> int:
    """Check the machine's GPU, or without one the checks themselves, and print the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--size", choices=sorted(SIZES), help="default: base on a GPU, tiny on a CPU")
    parser.add_argument("--variants", nargs="+", choices=list(VARIANTS), default=list(VARIANTS))
    parser.add_argument("--out", type=Path, help="file for the page")
    parser.add_argument("--part", choices=("reference", "mirrored"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.part == "reference":
        print(json.dumps(first_losses(options.size)))
        return 0
    if options.part == "mirrored":
        print(json.dumps(dataclasses.asdict(mirrored_steps(options.size))))
        return 0
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    size = options.size or ("base" if gpus else "tiny")
    _say(f"the first {NUM_COMPARED} meta-steps on the CPU")
    reference = json.loads(_in_process("reference", size, {"CUDA_VISIBLE_DEVICES": "-1"}))
    measured = []
    for variant in options.variants:
        _say(f"meta-steps in {variant}")
        measured.append(measure(size, variant, num_timed=NUM_TIMED if gpus else NUM_TIMED_ON_CPU))
    _say("meta-steps on several devices")
    page, has_failed = render(describe_machine(), size, reference, measured, _mirrored(size))
    print(page)
    if options.out is not None:
        options.out.write_text(page, encoding="utf-8")
    return int(has_failed)


def first_losses(size: str) -> list[float]:
    """Return the losses of the first meta-steps in float32, on the device that TensorFlow chooses."""
    _, update = _learner(size, "float32")
    return [update(batch) for batch in _batches(_space(), 0, NUM_COMPARED)]


def measure(size: str, variant: str, *, num_timed: int) -> Measured:
    """Measure one variant of the meta-step on the device that TensorFlow chooses.

    Args:
        size: A key of ``SIZES``.
        variant: A key of ``VARIANTS``.
        num_timed: Number of meta-steps that are timed.
    """
    import tensorflow as tf

    from benchmarks.learner import flops_of_tokens, num_padded_tokens
    from metamapping.episodes.ahead import one_ahead

    has_gpu = bool(tf.config.list_physical_devices("GPU"))
    if has_gpu:
        tf.config.experimental.reset_memory_stats("GPU:0")
    space = _space()
    learner, update = _learner(size, variant)
    started = time.perf_counter()
    losses = [update(batch) for batch in _batches(space, 0, NUM_COMPARED)]
    building = time.perf_counter()
    ready = list(_batches(space, NUM_COMPARED, num_timed))
    built = time.perf_counter()
    for batch in ready:  # compiles what is left
        update(batch)
    compiled = time.perf_counter()
    for batch in ready:
        update(batch)
    timed = time.perf_counter()
    for batch in one_ahead(_batches(space, NUM_COMPARED, num_timed)):
        update(batch)
    overlapped = time.perf_counter() - timed
    seconds = (timed - compiled) / num_timed
    tokens = float(np.mean([batch["padding_mask"].sum() for batch in ready]))
    is_grouped = not VARIANTS[variant].get("jit_compile", False)
    computed = [num_padded_tokens(batch) if is_grouped else batch["padding_mask"].size for batch in ready]
    memory = tf.config.experimental.get_memory_info("GPU:0")["peak"] / 1e6 if has_gpu else 0.0
    return Measured(
        variant=variant,
        num_timed=num_timed,
        compile_seconds=building - started + compiled - built - (timed - compiled),
        steps_per_second=1 / seconds,
        tokens=tokens,
        computed_tokens=float(np.mean(computed)),
        flops=flops_of_tokens(learner, tokens),
        peak=_peak(variant.split(",")[0], 8192 if has_gpu else 256),
        input_share=(built - building) / num_timed / seconds,
        overlapped=seconds * num_timed / overlapped,
        memory_megabytes=memory,
        losses=losses,
    )


def mirrored_steps(size: str) -> Mirrored:
    """Take steps of four batches on all devices, and on one; a single device is divided into two."""
    import tensorflow as tf

    from metamapping.models.variables import model_variables

    gpus = tf.config.list_physical_devices("GPU")
    if len(gpus) < 2:
        device = gpus[0] if gpus else tf.config.list_physical_devices("CPU")[0]
        limit = {"memory_limit": 8_000} if gpus else {}
        logical = [tf.config.LogicalDeviceConfiguration(**limit) for _ in range(2)]
        tf.config.set_logical_device_configuration(device, logical)
    batches = list(_batches(_space(), 0, 8))
    losses: dict[str, list[float]] = {}
    for devices in ("one", "mirrored"):
        replicas = _replicas(size, {"devices": devices, "num_batches": 4})
        replicas.broadcast_variables()
        losses[devices] = []
        for first in (0, 4):
            share = {i: batches[first + i] for i in replicas.share_of(4)}
            losses[devices] += replicas.update(share, 4)[0].tolist()
    own, *others = (model_variables(each.encoder, each.mapping) for each in replicas.learners)
    differ = max(
        float(np.abs(other[name].numpy() - value.numpy()).max())
        for other in others
        for name, value in own.items()
    )
    kind = "GPU" if gpus else "CPU"
    names = [device.name for device in tf.config.list_logical_devices(kind)]
    return Mirrored(names, losses["mirrored"], losses["one"], differ)


def describe_machine() -> list[str]:
    """Return lines about the devices and the versions that were measured."""
    import tensorflow as tf

    build = tf.sysconfig.get_build_info()
    cuda = build.get("cuda_version", "no GPU")
    lines = [f"TensorFlow {tf.__version__}, built for CUDA {cuda}, {os.cpu_count()} cores"]
    gpus = tf.config.list_physical_devices("GPU")
    for gpu in gpus:
        details = tf.config.experimental.get_device_details(gpu)
        lines.append(f"{details.get('device_name', gpu.name)}, compute {details.get('compute_capability')}")
    if not gpus:
        lines.append("**No GPU was found**: the CPU is compared with itself, so nothing here is about a GPU")
    elif tf.config.experimental.tensor_float_32_execution_enabled():
        lines.append("float32 products use TF32 where the GPU has it")
    return lines


def _say(what: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {what}", file=sys.stderr, flush=True)


def _mirrored(size: str) -> Mirrored:
    try:
        return Mirrored(**json.loads(_in_process("mirrored", size, {})))
    except subprocess.CalledProcessError as error:
        lines = (error.stderr or "").strip().splitlines() or [f"it ended with {error.returncode}"]
        return Mirrored([], [], [], 0.0, error=lines[-1][:300])


def _in_process(part: str, size: str, environment: dict[str, str]) -> str:
    """The last line that a part prints in a process of its own, which TensorFlow can start in another way."""
    command = [sys.executable, "-m", "benchmarks.gpu_check", "--part", part, "--size", size]
    with tempfile.TemporaryDirectory() as folder:
        variables = {**os.environ, "TMPDIR": folder, **environment}
        done = subprocess.run(command, env=variables, check=True, text=True, capture_output=True)
    return done.stdout.strip().splitlines()[-1]


def _space() -> LabelSpace:
    """Random texts of 6 to 40 tokens, each label of which prefers some tokens."""
    from metamapping.corpus.ragged import Ragged, offsets_of
    from metamapping.episodes.label_space import LabelSpace

    rng = np.random.default_rng(0)
    label_of = np.arange(_NUM_ROWS, dtype=np.int32) % _NUM_LABELS
    lengths = rng.integers(6, 41, _NUM_ROWS)
    common = rng.integers(1_000, _VOCABULARY_SIZE, lengths.sum())
    own = 100 + 40 * np.repeat(label_of, lengths) + rng.integers(0, 40, lengths.sum())
    tokens = Ragged(np.where(rng.random(lengths.sum()) < 0.3, own, common), offsets_of(lengths))
    names = [f"label {i}" for i in range(_NUM_LABELS)]
    return LabelSpace(
        source="random",
        task_type="text-classification",
        labels=tuple(names),
        label_names=tuple(names),
        name_tokens=Ragged.from_lists([[1, 100 + 40 * i, 2] for i in range(_NUM_LABELS)], np.int32),
        token_ids=tokens,
        segment_ids=Ragged(np.zeros(len(tokens.values), np.int8), tokens.offsets),
        rows_of=tuple(np.flatnonzero(label_of == c) for c in range(_NUM_LABELS)),
        label_of=label_of,
    )


def _batches(space: LabelSpace, first: int, count: int) -> Iterator[Batch]:
    from metamapping.config.episodes import EpisodeSpec
    from metamapping.episodes.batches import build_batch
    from metamapping.episodes.sampler import sample_batch

    spec = EpisodeSpec()
    for index in range(first, first + count):
        draw = sample_batch(np.random.default_rng(index), [space], {}, spec)
        yield build_batch(space, draw, spec)


def _replicas(size: str, settings: dict[str, Any]) -> Replicas:
    from metamapping.config.encoder import EncoderSpec, ScratchEncoder
    from metamapping.config.training import TrainingSpec
    from metamapping.training.learner import build_learner
    from metamapping.training.replicas import Replicas

    width, layers, heads = SIZES[size]
    scratch = ScratchEncoder(num_layers=layers, num_heads=heads, hidden_dim=width, intermediate_dim=4 * width)
    training = TrainingSpec.model_validate(settings)
    spec = EncoderSpec(scratch=scratch, max_length_tokens=64)
    learner = build_learner(spec, training, vocabulary_size=_VOCABULARY_SIZE, seed=0)
    replicas = Replicas(learner, training)
    for each in replicas.learners:
        each.encoder_optimizer.learning_rate = each.mapping_optimizer.learning_rate = 1e-5
    return replicas


def _learner(size: str, variant: str) -> tuple[Learner, Callable[[Batch], float]]:
    """A learner, and a function that takes a meta-step and returns its loss."""
    replicas = _replicas(size, VARIANTS[variant])
    return replicas.learner, lambda batch: float(replicas.update({0: batch}, 1)[0][0])


def _peak(precision: str, size: int) -> float:
    """Floating-point operations per second of a large product, the best of six."""
    import tensorflow as tf

    a = tf.cast(tf.random.stateless_normal((size, size), (0, 0)), precision)
    best = 0.0
    for _ in range(6):
        started = time.perf_counter()
        tf.reduce_sum(tf.matmul(a, a)[0, :8]).numpy()
        best = max(best, 2 * size**3 / (time.perf_counter() - started))
    return best


if __name__ == "__main__":
    raise SystemExit(main())
