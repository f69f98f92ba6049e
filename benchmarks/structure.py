"""The shape of the library's imports: how many there are, how deep they go, and which go the wrong way.

    python -m benchmarks.structure                # takes a few seconds and imports nothing of the library
    cd OTHER_CHECKOUT && PYTHONPATH=. python path/to/benchmarks/structure.py      # for other sources

Input: the sources of ``metamapping`` as Python finds them, and the order of its packages in the first
contract of ``[tool.importlinter]`` in the current folder's pyproject.toml; without it, upward edges are
unknown. Output: a Markdown table with a row for modules and one for packages (the files and folders
directly in ``metamapping``), both without those that have no import; then each upward edge and each cycle.
Imports inside functions and under ``TYPE_CHECKING`` count like all others. benchmarks/README.md has no such
table.
"""

from __future__ import annotations

import tomllib
from graphlib import TopologicalSorter
from pathlib import Path

import grimp
import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

Edge = tuple[str, str]  # (importing, imported)


def main() -> None:
    """Print the table, the cycles and the upward edges."""
    graph = grimp.build_graph("metamapping")
    edges = {(a, b) for a in graph.modules for b in graph.find_modules_directly_imported_by(a)}
    # `metamapping` itself only exports names and is not counted.
    inner = [(_package(a), _package(b)) for a, b in edges if "." in a and "." in b]
    packages = {(a, b) for a, b in inner if a != b}
    order = layer_order(Path("pyproject.toml"))
    upward = [(a, b) for a, b in edges if order.get(_package(a), -1) > order.get(_package(b), len(order))]
    details = [f"Upward: {a} imports {b}." for a, b in sorted(upward)]
    print("| of | number | import levels | import edges | cycles | upward edges |\n" + "| --- " * 6 + "|")
    for name, found in (("modules", sorted(edges)), ("packages", sorted(packages))):
        groups = strong_components(found)
        cycles = [members for members in groups if len(members) > 1]
        details += [f"Cycle of {name}: {', '.join(members)}." for members in cycles]
        counts = [sum(map(len, groups)), num_levels(groups, found), len(found), len(cycles)]
        print(f"| {name} |", *(f"{each} |" for each in counts), f"{len(upward) if order else 'unknown'} |")
    if details:
        print("\n" + "\n".join(details))


def strong_components(edges: list[Edge]) -> list[list[str]]:
    """Groups whose members import each other, directly or not; without cycles, each has one member."""
    names, index = np.unique(edges, return_inverse=True)
    rows, columns = index.reshape(-1, 2).T
    matrix = coo_array((np.ones(len(rows)), (rows, columns)), shape=(len(names), len(names)))
    num_groups, group_of = connected_components(matrix, directed=True, connection="strong")
    return [names[group_of == i].tolist() for i in range(num_groups)]


def num_levels(groups: list[list[str]], edges: list[Edge]) -> int:
    """Number of groups in the longest chain of imports."""
    group_of = {name: i for i, members in enumerate(groups) for name in members}
    imported = {i: {group_of[b] for a, b in edges if a in groups[i]} - {i} for i in range(len(groups))}
    levels: dict[int, int] = {}
    for i in TopologicalSorter(imported).static_order():  # imported groups come before importing ones
        levels[i] = 1 + max((levels[j] for j in imported[i]), default=0)
    return max(levels.values())


def layer_order(path: Path) -> dict[str, int]:
    """Each package's layer, 0 for the top one; empty where the file has no contract for layers."""
    tools = tomllib.loads(path.read_text(encoding="utf-8"))["tool"] if path.is_file() else {}
    contracts = tools.get("importlinter", {}).get("contracts", [{"layers": []}])
    layers = [layer.split("|") for layer in contracts[0]["layers"]]
    return {package.strip(): i for i, layer in enumerate(layers) for package in layer}


def _package(module: str) -> str:
    return module.split(".")[1] if "." in module else module


if __name__ == "__main__":
    main()
