"""Forks: a process that is forked after an encoder was loaded is told so, instead of waiting forever."""

import json
import subprocess
import sys

import pytest

# In a process of its own: the tests of this process have threads and encoders already.
PROGRAM = """
import json, multiprocessing, sys
from metamapping import MetaMapper

folder, method, when = sys.argv[1:]
TEXTS, LABELS = ["where is my parcel", "i want my money back"], ["delivery", "refund"]

def child(queue, mapping=None):
    try:
        if mapping is None:
            mapping = MetaMapper.from_pretrained(folder).adapt(TEXTS, LABELS)
        queue.put(mapping.predict(TEXTS))
    except RuntimeError as error:
        queue.put(str(error))

if __name__ == "__main__":
    context = multiprocessing.get_context(method)
    arguments = []
    if when != "loaded in the child":
        mapping = MetaMapper.from_pretrained(folder).adapt(TEXTS, LABELS)
        arguments = [mapping] if when == "used in the child" else []
    queue = context.Queue()
    process = context.Process(target=child, args=(queue, *arguments), daemon=True)
    process.start()
    print(json.dumps(queue.get(timeout=60)))
    process.join()
"""


@pytest.mark.parametrize(
    ("method", "when", "works"),
    [
        ("fork", "used in the child", False),
        ("fork", "loaded again in the child", False),
        pytest.param("fork", "loaded in the child", True, marks=pytest.mark.slow),
        pytest.param("spawn", "loaded again in the child", True, marks=pytest.mark.slow),
    ],
)
def test_a_fork_works_or_says_why_not(published, tmp_path, method, when, works):
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    done = subprocess.run(
        [sys.executable, program, published, method, when],
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout.splitlines()[-1])
    if works:
        assert answer == ["delivery", "refund"]
    else:
        assert "was forked from process" in answer
        assert "start the process with the method 'spawn'" in answer
