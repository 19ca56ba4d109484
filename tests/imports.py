"""Which module imports which, read from the source: nothing is imported to find out."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

from tests.root import ROOT


@cache
def imports(top: str) -> dict[str, set[str]]:
    """Module of a top-level package -> all it imports, anywhere in it, as dotted names."""
    paths = sorted((ROOT / top).rglob("*.py"))
    return {_name(path): set(_imported(ast.parse(path.read_text(encoding="utf-8")))) for path in paths}


def _name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def _imported(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for each in node.names:
                whole = f"{node.module}.{each.name}"
                yield whole if _is_module(whole) else node.module


def _is_module(name: str) -> bool:
    path = ROOT / name.replace(".", "/")
    return path.with_suffix(".py").exists() or (path / "__init__.py").exists()


def circles(graph: Mapping[str, set[str]]) -> list[list[str]]:
    """The parts of a graph in which each name leads to each other one."""
    reach = {name: _reached(graph, name) for name in graph}
    found = {frozenset(n for n in reach[name] if name in reach.get(n, ())) for name in graph if name in reach[name]}
    return sorted(sorted(each) for each in found)


def _reached(graph: Mapping[str, set[str]], start: str) -> set[str]:
    seen: set[str] = set()
    waiting = [*graph[start]]
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            waiting += graph.get(name, ())
    return seen
