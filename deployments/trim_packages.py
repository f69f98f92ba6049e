"""Remove what the server never uses from the installed packages of its image.

Run as `python trim_packages.py /usr/local/lib/python3.11/site-packages`. Removed are tests with their data,
which for onnx are models.
"""

import shutil
import sys
from pathlib import Path

# Patterns within the folder of packages, of onnx 1.23, SciPy 1.17 and NumPy 2.4.
UNUSED = (
    "**/tests",
    "onnx/backend",
)


def trim(packages: Path) -> int:
    """Remove everything that the patterns name.

    Args:
        packages: The folder `site-packages`.

    Returns:
        The number of bytes that were freed.
    """
    freed = 0
    for pattern in UNUSED:
        for path in sorted(packages.glob(pattern)):
            freed += sum(file.stat().st_size for file in (path, *path.rglob("*")) if file.is_file())
            if path.is_dir():
                shutil.rmtree(path)
            elif path.exists():
                path.unlink()
    return freed


if __name__ == "__main__":
    print(f"{trim(Path(sys.argv[1])) / 1e6:.0f} MB removed")
