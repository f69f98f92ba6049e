"""Published folders as the previous release wrote them, in format 4: without a graph for the runtime."""

import json
import shutil
from pathlib import Path

from metamapping.publishing.layout import SETTINGS
from metamapping.runtime.graph_file import GRAPH
from metamapping.storage.manifest import MANIFEST, write_json, write_manifest


def without_graph(published: Path, folder: Path) -> Path:
    """Copy a published folder without its graph, which TensorFlow then has to read."""
    shutil.copytree(published, folder, ignore=shutil.ignore_patterns(GRAPH, MANIFEST))
    settings = json.loads((folder / SETTINGS).read_text())
    del settings["fingerprint"]
    write_json(folder / SETTINGS, settings | {"format_version": 4})
    write_manifest(folder, {"stage": "published"})
    return folder
