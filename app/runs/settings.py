"""Settings as they are stored -> rows to read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.shared.numbers import number

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
