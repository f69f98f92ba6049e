"""Label counts: the number of rows of each label in a source, before anything is prepared.

At most ``MAX_ROWS`` rows are read: longer sources are counted when they are prepared.

    count_labels(source)                       # {"refund": 31, "delivery": 52}, or None
"""

from __future__ import annotations

from collections import Counter

from metamapping.config.sources import Source
from metamapping.corpus.records import label_text, read_rows
from metamapping.corpus.tags import OUTSIDE, entity_type

MAX_ROWS = 100_000


def count_labels(source: Source) -> dict[str, int] | None:
    """Count the rows of each label.

    Cleaning can only lower these counts.

    Args:
        source: The source.

    Returns:
        For ``ner``, the number of sentences with each entity type; else the number of rows of each label.
        ``None`` for sources that are too long, on the hub, or whose labels are numbers into a list.

    Raises:
        ConfigError: The source cannot be read.
    """
    if source.hub is not None or source.labels is not None:
        return None
    counts: Counter[str] = Counter()
    for number, row in enumerate(read_rows(source)):
        if number == MAX_ROWS:
            return None
        if row.fault is not None:
            continue
        if source.task_type == "ner":
            tags = row.label if isinstance(row.label, list) else str(row.label or "").split()
            counts.update({entity_type(tag) for tag in tags if tag != OUTSIDE})
        elif (label := label_text(row.label)) is not None:
            counts[label] += 1
    return {label: count for label, count in counts.items() if label not in source.drop_labels}
