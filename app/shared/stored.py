"""JSON of the store, read without trust: what is missing or of another kind is left out, never guessed."""

from __future__ import annotations

from typing import Any

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


def one(data: Data, name: str) -> float | None:
    """A number; None where there is none."""
    held: Any = data.get(name)
    return float(held) if _is_number(held) else None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
