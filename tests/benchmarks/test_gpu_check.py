"""The page about a GPU: its figures and verdicts, and that all its parts run on a CPU."""

import dataclasses
import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.gpu_page import Measured, Mirrored, render

REFERENCE = [3.0, 2.0]
MEASURED = Measured(
    variant="float32",
    num_timed=30,
    compile_seconds=12.34,
    steps_per_second=20.0,
    tokens=1500.0,
    computed_tokens=2000.0,
    flops=1e12,
    peak=4e13,
    input_share=0.125,
    overlapped=0.96,
    memory_megabytes=2048.0,
    losses=[3.003, 2.0],
)
MIRRORED = Mirrored(["/GPU:0", "/GPU:1"], [1.0, 2.0], [1.0, 2.002], 0.0)


def page_of(measured=MEASURED, mirrored=MIRRORED):
    return render(["one GPU"], "base", REFERENCE, [measured], mirrored)


def test_the_page_has_the_figures_of_each_variant():
    page, has_failed = page_of()
    assert not has_failed
    assert "| float32 | 12.3 | 20.00 | 30,000 | 50% | 25% | 2,048 |" in page
    assert "building a batch takes 12% of a step; built meanwhile, 96% of the speed" in page
    assert "float32 40,000 GFLOP/s" in page
    assert "- OK: float32: the first 2 losses differ from the CPU's in float32 by at most 0.001" in page
    assert "- OK: mirrored on 2 devices: losses differ from one device's by at most 0.001" in page


@pytest.mark.parametrize("losses", [[3.2, 2.0], [3.0, float("nan")]])
def test_other_losses_than_the_cpu_fail(losses):
    page, has_failed = page_of(dataclasses.replace(MEASURED, losses=losses))
    assert has_failed
    assert "**FAILED**: float32" in page


def test_sixteen_bits_may_differ_more():
    measured = dataclasses.replace(MEASURED, variant="bfloat16, XLA", losses=[3.1, 2.0])
    assert not page_of(measured)[1]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"copies_differ": 1e-6}, "weights between devices by 1e-06"),
        ({"losses": [1.0, 2.1]}, "by at most 0.049"),
        ({"error": "NCCL is not there"}, "**FAILED**: mirrored: NCCL is not there"),
    ],
)
def test_devices_that_disagree_fail(changes, sentence):
    page, has_failed = page_of(mirrored=dataclasses.replace(MIRRORED, **changes))
    assert has_failed
    assert sentence in page


@pytest.mark.slow
def test_all_parts_run_on_a_cpu(tmp_path):
    command = [
        sys.executable,
        "-m",
        "benchmarks.gpu_check",
        "--size",
        "tiny",
        "--variants",
        "float32",
        "bfloat16, XLA",
        "float16",
        "--out",
        str(tmp_path / "page.md"),
    ]
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "-1"}
    root = Path(__file__).parents[2]
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True)
    page = (tmp_path / "page.md").read_text()
    assert done.returncode == 0, done.stderr[-2000:] + page
    assert page.strip() == done.stdout.strip()
    assert "**No GPU was found**" in page
    assert page.count("- OK:") == 4
    assert "float32: the first 5 losses differ from the CPU's in float32 by at most 0 of" in page
