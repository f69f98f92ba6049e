"""Tables of results as Markdown, for benchmarks/README.md.

markdown({"trec6": ["84.0", "1.1 s"]}, ["found", "time"], heading="source")
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence


def markdown(rows: Mapping[str, Sequence[str]], columns: Sequence[str], *, heading: str = "method") -> str:
    """A Markdown table with one line for each of ``rows``; ``heading`` is that of their names."""
    lines = [f"| {heading} | " + " | ".join(columns) + " |", "| --- " * (1 + len(columns)) + "|"]
    return "\n".join([*lines, *(f"| {name} | " + " | ".join(cells) + " |" for name, cells in rows.items())])
