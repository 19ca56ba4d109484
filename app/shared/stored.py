"""JSON of the store, read without trust: what is missing or of another kind is left out, never guessed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.shared.numbers import number

Data = dict[str, Any]


def numbers(data: Data, name: str) -> list[float | None]:
    """A list of numbers, None where an item is none; empty where there is no list."""
    held = data.get(name)
    return [value if _is_number(value) else None for value in held] if isinstance(held, list) else []


def known(data: Data, name: str) -> list[float]:
    """Such a list, if it has no gap; else empty."""
    held = numbers(data, name)
    return [value for value in held if value is not None] if all(value is not None for value in held) else []


def part(data: Data, name: str) -> Data:
    """A nested object; empty where there is none."""
    held = data.get(name)
    return held if isinstance(held, dict) else {}


def items(data: Data, name: str) -> list[Data]:
    """A list of objects; empty where there is none."""
    held = data.get(name)
    return [item for item in held if isinstance(item, dict)] if isinstance(held, list) else []


def rows_of_numbers(data: Mapping[str, Any], name: str, width: int) -> list[list[float]]:
    """A list of lists of so many numbers each; others are left out."""
    held = data.get(name)
    rows = [row for row in held if isinstance(row, list) and len(row) == width] if isinstance(held, list) else []
    return [row for row in rows if all(map(_is_number, row))]


def one(data: Data, name: str) -> float | None:
    """A number; None where there is none."""
    held: Any = data.get(name)
    return float(held) if _is_number(held) else None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


LONG = 12  # entries of a list that are shown


def flat(tree: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Nested settings -> (dotted name, value) in their own order."""
    rows: list[tuple[str, str]] = []
    for name, value in tree.items():
        if isinstance(value, Mapping):
            rows += flat(value, f"{prefix}{name}.")
        elif value is not None:
            rows.append((f"{prefix}{name}", _text(value)))
    return rows


def _text(value: Any) -> str:
    if isinstance(value, float):
        return number(value, 4)
    if isinstance(value, list) and len(value) > LONG:
        return f"{', '.join(map(str, value[:LONG]))} and {len(value) - LONG} more"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
