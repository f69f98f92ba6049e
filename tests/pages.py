"""Pages of the documentation as programs: their blocks are run in order, and print what the page says.

A block ``text`` directly after a block ``python`` or ``console`` is what that block prints. `…` in it stands
for anything, also for several lines.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

_BLOCK = re.compile(r"^```(console|python|text)\n(.*?)^```", flags=re.MULTILINE | re.DOTALL)


class Block(NamedTuple):
    """A block of code, and what it prints; empty where the page does not say."""

    language: str
    code: str
    expected: str


def blocks_of(page: str) -> Iterator[Block]:
    """The blocks of code of a page, each with the blocks of output up to the next one."""
    found = _BLOCK.findall(page)
    for number, (language, code) in enumerate(found):
        if language == "text":
            continue
        expected = []
        for following, text in found[number + 1 :]:
            if following != "text":
                break
            expected.append(text)
        yield Block(language, code, "…\n".join(expected))


def run_block(block: Block, folder: Path, scope: dict[str, Any]) -> str:
    """Run a block in a folder, which for Python is the current one, and return what it prints."""
    if block.language == "console":
        return run_in_shell(block.code, folder)
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        exec(block.code, scope)
    return output.getvalue()


def run_in_shell(code: str, folder: Path) -> str:
    """Run a console block, and return its output; the first command that fails is an error."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    process = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", code],
        cwd=folder,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
    )
    assert process.returncode == 0, process.stderr
    return process.stdout


def check_output(block: Block, output: str) -> None:
    """Compare what a block printed with what the page says; the amount of space does not count."""
    expected, got = (" ".join(text.split()) for text in (block.expected, output))
    pattern = ".*".join(re.escape(part.strip()) for part in expected.split("…"))
    same = re.fullmatch(pattern, got)
    assert same, f"{block.code}\nprinted\n\n{output}\nbut the page says\n\n{block.expected}"
