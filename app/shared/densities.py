"""How many latents are denser than each of some densities: what plots and tables need of all densities of an SAE."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

DECADES = [round(10 ** (step / 4), 6) for step in range(-16, 1)]  # a quarter of a decade a bar, from 0.01 % to 100 %
BAR_CUTS = (0.0, *DECADES[1:-1], 1.0)
"""Counts above these make the bars."""
Bar = tuple[float, float, int]
"""Above, up to, latents."""


class CurveInfo(NamedTuple):
    """How many latents of each SAE are denser than each threshold."""

    thresholds: tuple[float, ...]
    counts: dict[str, list[int]]
    start: int
    """Place of the run's own threshold."""


def thresholds_of(threshold: float) -> tuple[float, ...]:
    """Round densities and the run's own: counts are exact there, and a hundred times less than all densities."""
    grid = {n / 1000 for n in range(1, 10)} | {n / 200 for n in range(2, 20)} | {n / 100 for n in range(10, 100)}
    return tuple(sorted(grid | {threshold}))


def counts_above(descending: Sequence[float], cuts: Sequence[float]) -> list[int]:
    """How many are above each cut, strictly: dense means density > threshold."""
    ascending = descending[::-1]
    return [len(ascending) - bisect_left(ascending, cut + 1e-12) for cut in cuts]


def bars(above: Sequence[int]) -> list[Bar]:
    """Latents of each quarter of a decade of density, from the counts above BAR_CUTS; rarer ones are in the first."""
    counts = [many - few for many, few in pairwise(above)]
    return list(zip(DECADES[:-1], DECADES[1:], counts, strict=True))
