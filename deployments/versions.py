"""Run the unit tests with the oldest and the newest versions of the dependencies: ``make versions``.

In: ``lowest``, ``highest``, or both, and the paths of tests. Out: one line for each, and the exit code 1 if a
test failed or nothing could be installed. ``pyproject.toml`` alone decides: of every package that it names,
the oldest version that its bounds allow, or the newest; ``requirements/`` is not read. The environments are
in ``build/versions``. Needs uv and the package index, and several gigabytes for both.

    python -m deployments.versions lowest tests/adaptation tests/publishing
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
RESOLUTIONS = {"lowest": "lowest-direct", "highest": "highest"}
EXTRAS = ("train", "serve", "sklearn", "excel")
# What the tests of the library need in addition; their versions are not part of the question.
TOOLS = ("pytest>=9", "pytest-xdist>=3.8", "httpx", "hypothesis>=6", "schemathesis>=4,<5")
# The rooms of the library; flows, tasks and deployments depend on Prefect, whose versions are few.
TESTS = (
    "adaptation", "cli", "config", "corpus", "episodes", "formats", "html", "interop", "models", "publishing",
    "rounds", "runs", "runtime", "serving", "storage", "training", "tuning", "test_sklearn.py",
)  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> int:
    """Install and test what the command line names, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m deployments.versions", description=__doc__)
    parser.add_argument("names", nargs="*", help="`lowest`, `highest`, and paths of tests")
    options = parser.parse_args(arguments)
    chosen = [name for name in options.names if name in RESOLUTIONS] or list(RESOLUTIONS)
    tests = [name for name in options.names if name not in RESOLUTIONS]
    uv = shutil.which("uv")
    if uv is None:
        print("uv is not installed: install it with `pip install uv`", file=sys.stderr)
        return 1
    return max(run_tests(name, uv, tests) for name in chosen)


def run_tests(name: str, uv: str, tests: Sequence[str]) -> int:
    """Install one end of the allowed versions, and run tests with them.

    Args:
        name: ``lowest`` or ``highest``.
        uv: Path of uv.
        tests: Paths of tests; default: those of the library.

    Returns:
        0 if all pass.
    """
    folder = ROOT / "build" / "versions" / name
    try:
        versions = install(name, uv, folder)
    except subprocess.CalledProcessError as error:
        print(f"{name}: `{' '.join(map(str, error.cmd))}` failed: correct the bounds in pyproject.toml")
        return 1
    command = [str(folder / "bin" / "python"), "-m", "pytest", "-q", "-m", "not slow", "--dist", "loadfile"]
    command += ["--numprocesses", os.environ.get("TEST_PROCESSES", "auto")]
    command += tests or [str(Path("tests") / each) for each in TESTS]
    code = subprocess.run(command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}).returncode
    print(f"{name}: {'passed' if code == 0 else 'failed'} with the versions in {versions}")
    return int(code != 0)


def install(name: str, uv: str, folder: Path) -> Path:
    """Install the library's dependencies and the tools of the tests.

    Args:
        name: ``lowest`` or ``highest``.
        uv: Path of uv.
        folder: The environment; it is recreated.

    Returns:
        The file with the versions.

    Raises:
        subprocess.CalledProcessError: The bounds contradict each other, or the index cannot be reached.
    """
    versions = folder.with_suffix(".txt")
    folder.parent.mkdir(parents=True, exist_ok=True)
    extras = [part for extra in EXTRAS for part in ("--extra", extra)]

    def call(*arguments: str | Path) -> None:
        subprocess.run([uv, *map(str, arguments)], cwd=ROOT, check=True)

    call(
        "pip", "compile", "--quiet", "--no-emit-index-url", "--resolution", RESOLUTIONS[name], *extras,
        "pyproject.toml", "--output-file", versions,
    )  # fmt: skip
    call("venv", "--quiet", "--clear", "--python", sys.executable, folder)
    python = ("--python", folder / "bin" / "python")
    call("pip", "install", "--quiet", *python, "--requirements", versions)
    call("pip", "install", "--quiet", *python, "--constraints", versions, *TOOLS)
    return versions


if __name__ == "__main__":
    raise SystemExit(main())
