"""Figures of the start page: density against antipodality, and how many latents are denser than each density."""

from __future__ import annotations

from app.layers.plots import dots
from app.saes.queries import Point, SaeInfo
from app.shared.densities import CurveInfo
from app.shared.figures import LAYERS, Figure, axis, figure


def scatter_figure(points: list[Point], pin: str) -> Figure:
    """Density against antipodality. Hollow dots are near-duplicates, whose score is high for the other reason."""
    groups = (("mirror images and others", True, "circle"), ("same direction as partner", False, "circle-open"))
    data = [
        dots([point for point in points if point.mirror is mirror], name, sign, pin, 6) for name, mirror, sign in groups
    ]
    x = axis("density (share of tokens)", type="log", tickformat="~%", dtick=1)
    y = axis("antipodality", range=[-0.05, 1.05])
    return figure([part for part in data if part["x"]], 340, x, y, hovermode="closest")


def curve_figure(info: CurveInfo, saes: list[SaeInfo]) -> Figure:
    """Latents denser than x, one line an SAE; the ramp of layers from faint to strong."""
    lines = [
        {
            "type": "scatter", "mode": "lines", "name": f"layer {sae.layer}", "x": list(info.thresholds),
            "y": [count or None for count in info.counts[sae.slug]],
            "line": {"width": 1.6, "color": _step(place, len(saes))},
            "hovertemplate": "%{y:,} latents above %{x:.1%}<extra>%{fullData.name}</extra>",
        }
        for place, sae in enumerate(saes)
    ]  # fmt: skip
    x = axis("density (share of tokens)", type="log", tickformat="~%", dtick=1, range=[-3, 0])
    y = axis("latents denser than that", type="log", dtick=1)
    return figure(lines, 340, x, y, hovermode="closest")


def _step(place: int, steps: int) -> str:
    return LAYERS[round((len(LAYERS) - 1) * place / max(1, steps - 1))]
