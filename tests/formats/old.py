"""The folders of earlier formats, copied so that a test may change them."""

import json
import shutil
from pathlib import Path

FOLDERS = Path(__file__).parent / "folders"
NEW_TEXTS = ["my parcel is late", "send my money back please"]
NEW_WORDS = ["anna", "works", "in", "rome"]
# Formats whose features are of one view, which is the first view of now.
ONE_VIEW = ["published-1-task-1", "published-2-scalars", "published-2", "published-3"]
THREE_VIEWS = ["published-4-task-2", "published-4-task-3", "published-5-task-4"]


def copy_of(name: str, scratch: Path) -> Path:
    """A copy of an old folder, with its expected values."""
    return shutil.copytree(FOLDERS / name, scratch / name)


def expected(name: str):
    return json.loads((FOLDERS / name / "expected.json").read_text())
