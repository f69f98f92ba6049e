"""The page that `benchmarks.gpu_check` prints: what was measured, as Markdown, and a verdict for each check.

page, has_failed = render(machine, "base", reference, measured, mirrored)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

# Width, layers and heads, by name: BERT-base, MiniLM, and one for the CPU.
SIZES = {"base": (768, 12, 12), "minilm": (384, 6, 12), "tiny": (64, 2, 2)}
# The largest relative difference of a loss from the CPU's: with TF32 a product has 10 bits of mantissa, in
# bfloat16 7.
TOLERANCES = {"float32": 0.005, "bfloat16": 0.05, "float16": 0.05}


@dataclass(frozen=True)
class Measured:
    """A variant of the meta-step on one device.

    Attributes:
        variant: Its name.
        num_timed: Number of meta-steps that were timed.
        compile_seconds: Until all shapes of batches were computed once.
        steps_per_second: Of batches that are ready.
        tokens: Tokens of a batch on average, without padding.
        computed_tokens: Tokens that the encoder computes for it, padding included.
        flops: Floating-point operations of a meta-step, padding not included.
        peak: Floating-point operations per second of a large product in the variant's precision.
        input_share: Time for building a batch, as a share of a meta-step's.
        overlapped: Steps per second with batches built meanwhile, as a share of those with ready batches.
        memory_megabytes: Peak of the GPU's memory; 0 on a CPU.
        losses: Of the first meta-steps.
    """

    variant: str
    num_timed: int
    compile_seconds: float
    steps_per_second: float
    tokens: float
    computed_tokens: float
    flops: float
    peak: float
    input_share: float
    overlapped: float
    memory_megabytes: float
    losses: list[float]


@dataclass(frozen=True)
class Mirrored:
    """A step on several devices against the same step on one.

    Attributes:
        devices: Their names.
        losses: Of the batches of each step, on all devices together.
        one_device: The same on one device.
        copies_differ: The largest difference between the weights of two copies.
        error: Why nothing was measured; empty if it was.
    """

    devices: list[str]
    losses: list[float]
    one_device: list[float]
    copies_differ: float
    error: str = ""


def render(
    machine: Sequence[str],
    size: str,
    reference: Sequence[float],
    measured: Sequence[Measured],
    mirrored: Mirrored,
) -> tuple[str, bool]:
    """Write the page.

    Args:
        machine: Lines about the devices.
        size: The size of the encoder.
        reference: The losses of the first meta-steps on the CPU.
        measured: The variants.
        mirrored: The steps on several devices.

    Returns:
        The page as Markdown, and whether a check has failed.
    """
    width, layers, _ = SIZES[size]
    rows = [
        f"| {each.variant} | {each.compile_seconds:.1f} | {each.steps_per_second:.2f} "
        f"| {each.steps_per_second * each.tokens:,.0f} "
        f"| {each.flops * each.steps_per_second / each.peak:.0%} "
        f"| {1 - each.tokens / each.computed_tokens:.0%} | {each.memory_megabytes:,.0f} |"
        for each in measured
    ]
    inputs = [
        f"- {each.variant}: building a batch takes {each.input_share:.0%} of a step; built meanwhile, "
        f"{each.overlapped:.0%} of the speed with ready batches is left"
        for each in measured
    ]
    checks = [*(_equality(reference, each) for each in measured), _mirrored_check(mirrored)]
    lines = [
        "# GPU check",
        *(f"- {line}" for line in machine),
        f"- encoder `{size}`: {layers} layers of {width}, random weights, all of them trained",
        f"- {measured[0].num_timed} meta-steps were timed",
        "",
        "| meta-step | compiling, s | steps/s | tokens/s | share of peak | padding | GPU memory, MB |",
        "| --- | --- | --- | --- | --- | --- | --- |",
        *rows,
        "",
        "The peak is that of a large matrix product in the same precision: "
        + ", ".join(f"{each.variant} {each.peak / 1e9:,.0f} GFLOP/s" for each in measured)
        + ".",
        "",
        "## Input",
        *inputs,
        "",
        "## Checks",
        *(f"- {'OK' if is_passed else '**FAILED**'}: {sentence}" for is_passed, sentence in checks),
        "",
    ]
    return "\n".join(lines), not all(is_passed for is_passed, _ in checks)


def _equality(reference: Sequence[float], measured: Measured) -> tuple[bool, str]:
    expected, losses = np.asarray(reference), np.asarray(measured.losses)
    difference = float(np.max(np.abs(losses - expected) / np.abs(expected)))
    limit = TOLERANCES[measured.variant.split(",")[0]]
    sentence = (
        f"{measured.variant}: the first {len(expected)} losses differ from the CPU's in float32 by at most "
        f"{difference:.2g} of their value; allowed is {limit:g}"
    )
    return bool(difference <= limit), sentence  # NaN is a failure


def _mirrored_check(mirrored: Mirrored) -> tuple[bool, str]:
    if mirrored.error:
        return False, f"mirrored: {mirrored.error}"
    expected, losses = np.asarray(mirrored.one_device), np.asarray(mirrored.losses)
    difference = float(np.max(np.abs(losses - expected) / np.abs(expected)))
    sentence = (
        f"mirrored on {len(mirrored.devices)} devices: losses differ from one device's by at most "
        f"{difference:.2g} of their value, and weights between devices by {mirrored.copies_differ:.2g}; "
        f"allowed are {TOLERANCES['float32']:g} and 0"
    )
    return bool(difference <= TOLERANCES["float32"] and mirrored.copies_differ == 0), sentence
