"""Targets of fuzzing: everything that reads files from untrusted sources, one class each.

A target's ``seeds`` are valid files with their kinds. ``run`` reads mutated bytes as if they were such a
file, and raises whatever the product raises.

    target = TARGETS["csv"](folder)
    data, kind = target.seeds[0]
    target.run(mutate(data, kind, rng), rng)
"""

from __future__ import annotations

import warnings

from tests.fuzz.file_targets import FILES, Config, EntryPoints, Records, Spans
from tests.fuzz.folder_targets import Commands, Encoder, Graph, Keras, Published, Run, Task, Texts
from tests.fuzz.target import Target

TARGETS: dict[str, type[Target]] = {
    **FILES,
    "entry-points": EntryPoints,
    "config": Config,
    "records": Records,
    "spans": Spans,
    "published": Published,
    "encoder": Encoder,
    "keras": Keras,
    "graph": Graph,
    "task": Task,
    "run": Run,
    "commands": Commands,
    "texts": Texts,
}
# Warnings of other libraries about mutated files are ignored.
warnings.simplefilter("ignore")
