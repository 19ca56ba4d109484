"""Numbers on their way into the store: rounded, finite, plain Python."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from torch import Tensor

Row = dict[str, Any]
_BLOCK = 2**14


def number(value: float, digits: int = 7) -> float | None:
    """`value` to so many significant digits; None where it is NaN or infinite (JSON knows neither)."""
    return float(f"{value:.{digits}g}") if math.isfinite(value) else None


def numbers(values: Tensor, digits: int = 7) -> list[float | None]:
    """The same for a vector."""
    return [number(value, digits) for value in values.tolist()]


def plain(value: Any) -> Any:
    """JSON from a user's file, without NaN and infinities (Python's reader lets them through)."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(key): plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [plain(part) for part in value]
    return value


def blocks(latents: int) -> Iterator[slice]:
    """Some thousand latents at a time: what rows are made of must not be in memory for all of a wide SAE."""
    for start in range(0, latents, _BLOCK):
        yield slice(start, min(start + _BLOCK, latents))
