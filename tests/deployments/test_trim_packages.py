"""The image of the server keeps what it uses of its packages, and nothing else is removed."""

import subprocess
import sys
from pathlib import Path

import numpy
import pytest

from deployments.trim_packages import UNUSED, trim

ROOT = Path(__file__).parents[2]
USED = ["numpy/__init__.py", "onnx/checker.py"]
REMOVED = [
    "numpy/lib/tests/test_io.py",
    "scipy/tests/data/big.npz",
    "onnx/backend/test/data.pb",
]


def test_only_what_is_not_used_is_removed(tmp_path):
    for name in (*USED, *REMOVED):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x" * 10)
    assert trim(tmp_path) == 10 * len(REMOVED)
    files = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert files == set(USED)
    assert trim(tmp_path) == 0


@pytest.mark.slow
def test_the_server_imports_nothing_that_is_removed():
    """Of every module that serving and adapting load, the file that it is loaded from."""
    code = (
        "import sys, scipy.linalg, scipy.optimize, scipy.sparse, scipy.stats\n"
        "from metamapping import Mapping, MetaMapper\n"
        "from metamapping.serving import server, service\n"
        "print(*(getattr(module, '__file__', None) for module in list(sys.modules.values())), sep='\\n')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    loaded = [Path(line) for line in done.stdout.splitlines() if "site-packages" in line]
    assert len(loaded) > 300
    packages = Path(numpy.__file__).parents[1]
    removed = {path for pattern in UNUSED for path in packages.glob(pattern)}
    assert not [path for path in loaded if removed.intersection((path, *path.parents))]
