"""Figures of a run as a whole: scatter, one measure by layer, the density curve."""

from __future__ import annotations

import math
from bisect import bisect_left
from itertools import pairwise
from typing import Any, NamedTuple

from app.saes.queries import Point, SaeInfo
from app.shared.figures import DIM, INK, STEPS, Figure, axis, figure


def scatter_figure(points: list[Point], pin: str) -> Figure:
    """Density against antipodality. Hollow dots are near-duplicates, whose score is high for the other reason."""
    groups = (("mirror images and others", True, "circle"), ("same direction as partner", False, "circle-open"))
    data = [
        _dots([point for point in points if point.mirror is mirror], name, sign, pin) for name, mirror, sign in groups
    ]
    x = axis("density (share of tokens)", type="log", tickformat="~%", dtick=1)
    y = axis("antipodality", range=[-0.05, 1.05])
    return figure([part for part in data if part["x"]], 340, x, y, hovermode="closest")


def _dots(points: list[Point], name: str, symbol: str, pin: str) -> dict[str, Any]:
    query = f"?{pin}" if pin else ""
    return {
        "type": "scatter", "mode": "markers", "name": name,
        "x": [round(point.density, 5) for point in points], "y": [round(point.antipodality, 3) for point in points],
        "customdata": [[f"/saes/{dot.slug}/latents/{dot.index}{query}", dot.layer, dot.index] for dot in points],
        "marker": {"color": INK, "size": 6, "opacity": 0.55, "symbol": symbol, "line": {"width": 1, "color": INK}},
        "hovertemplate": "layer %{customdata[1]}, latent %{customdata[2]}<br>density %{x:.1%}, "
        "antipodality %{y:.2f}<extra></extra>",
    }  # fmt: skip


LAYER_PANELS = (
    ("n_dense", "dense latents", ""),
    ("n_pairs", "antipodal pairs", ""),
    ("dense_mass_share", "dense share of mass", ".0%"),
    ("l0", "L0", ""),
    ("fvu", "FVU", ".2f"),
)


def layers_figure(saes: list[SaeInfo], pin: str) -> list[tuple[str, Figure]]:
    """One small bar chart a measure, layers along x; each bar leads to its SAE's latents."""
    more = f"&{pin}" if pin else ""
    layers = [f"{sae.layer}" for sae in saes]
    links = [[f"/latents?sae={sae.slug}{more}"] for sae in saes]
    charts = []
    for field, title, form in LAYER_PANELS:
        bar = {
            "type": "bar", "x": layers, "y": [getattr(sae, field) for sae in saes], "customdata": links,
            "marker": {"color": DIM}, "hovertemplate": f"layer %{{x}}: %{{y:{form or '.3~g'}}}<extra></extra>",
        }  # fmt: skip
        y = axis("", rangemode="tozero", nticks=4, tickformat=form)
        charts.append((title, figure([bar], 170, axis("layer", type="category"), y, bargap=0.35)))
    return charts


class CurveInfo(NamedTuple):
    """How many latents of each SAE are denser than each threshold."""

    thresholds: list[float]
    counts: dict[str, list[int]]
    start: int
    """Place of the run's own threshold."""


def curve_info(curves: dict[str, list[float]], threshold: float) -> CurveInfo:
    """Counts at a fixed list of round thresholds: exact there, and a hundred times less than all densities."""
    grid = {n / 1000 for n in range(1, 10)} | {n / 200 for n in range(2, 20)} | {n / 100 for n in range(10, 100)}
    thresholds = sorted(grid | {threshold})
    counts = {slug: _counts_above(curve, thresholds) for slug, curve in curves.items()}
    return CurveInfo(thresholds, counts, thresholds.index(threshold))


def _counts_above(descending: list[float], thresholds: list[float]) -> list[int]:
    ascending = descending[::-1]
    # strictly above: dense means density > threshold
    return [len(ascending) - bisect_left(ascending, cut + 1e-12) for cut in thresholds]


def curve_figure(info: CurveInfo, saes: list[SaeInfo]) -> Figure:
    """Latents denser than x, one line an SAE; early layers light, late ones dark."""
    lines = [
        {
            "type": "scatter", "mode": "lines", "name": f"layer {sae.layer}", "x": info.thresholds,
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
    return STEPS[round(4 * place / max(1, steps - 1))]


DECADES = [round(10 ** (step / 4), 6) for step in range(-16, 1)]  # a quarter of a decade a bar, from 0.01 % to 100 %


def density_bars(descending: list[float]) -> list[tuple[float, float, int]]:
    """(above, up to, latents) of each quarter of a decade of density; rarer ones are in the first."""
    above = _counts_above(descending, [0.0, *DECADES[1:-1], 1.0])
    counts = [many - few for many, few in pairwise(above)]
    return list(zip(DECADES[:-1], DECADES[1:], counts, strict=True))


def density_heights(descending: list[float]) -> list[int]:
    """Bar heights 0 to 24 of log counts, a bar for each quarter of a decade of density; rarer ones are in the first."""
    counts = [count for _low, _high, count in density_bars(descending)]
    most = math.log1p(max(counts, default=0)) or 1
    return [math.ceil(24 * math.log1p(count) / most) for count in counts]
