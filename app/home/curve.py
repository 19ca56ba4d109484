"""The density curve as SVG: latents denser than each threshold, one line an SAE, both axes logarithmic."""

from __future__ import annotations

import math
from dataclasses import dataclass

from app.saes.queries import SaeInfo
from app.shared.densities import CurveInfo
from app.shared.figures import LAYERS

WIDTH, HEIGHT = 600, 300
LEAST = 0.001
"""Density at the left edge; 100 % is the right one."""


@dataclass(frozen=True)
class Curve:
    """What is drawn in a box of WIDTH by HEIGHT."""

    lines: list[tuple[str, str, int]]
    """Title, points, and step of the ramp of layers."""
    marks: list[tuple[float, str]]
    """Height and count at each half of a decade, from the top down; between two decades none is said."""
    threshold: float
    """Of the run, from the left edge."""


def curve(info: CurveInfo, saes: list[SaeInfo]) -> Curve:
    """Of all SAEs of a run."""
    most = max((counts[0] for counts in info.counts.values()), default=0)
    halves = max(2, math.ceil(2 * math.log10(max(2, most))))  # half a decade: the top is not far above the curves
    decades = halves / 2
    return Curve(
        [(f"layer {sae.layer}", _points(info, sae.slug, decades), step(at, len(saes))) for at, sae in enumerate(saes)],
        [
            (round(HEIGHT * (1 - half / halves), 1), "" if half % 2 else f"{10 ** (half // 2):,}")
            for half in range(halves, -1, -1)
        ],
        across(info.thresholds[info.start]),
    )


def across(density: float) -> float:
    """From the left edge."""
    return round(WIDTH * (1 - math.log10(max(density, LEAST)) / math.log10(LEAST)), 1)


def step(place: int, steps: int) -> int:
    """Of the ramp from early to late."""
    return round((len(LAYERS) - 1) * place / max(1, steps - 1))


def _points(info: CurveInfo, slug: str, decades: float) -> str:
    """Down to one latent: none has no place on such an axis. A line that goes on level needs no point."""
    counts = [count for count in info.counts[slug] if count]
    kept = [
        place
        for place, count in enumerate(counts)
        if place in {0, len(counts) - 1} or not counts[place - 1] == count == counts[place + 1]
    ]
    places = ((across(info.thresholds[place]), HEIGHT * (1 - math.log10(counts[place]) / decades)) for place in kept)
    return " ".join(f"{x:.0f},{y:.0f}" for x, y in places)
