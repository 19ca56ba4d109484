"""Figures of a run as a whole: scatter, one measure by layer, the density curve."""

from __future__ import annotations

import math
from typing import Any

from app.saes.queries import Point, SaeInfo
from app.shared.densities import Bar, CurveInfo
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


def curve_figure(info: CurveInfo, saes: list[SaeInfo]) -> Figure:
    """Latents denser than x, one line an SAE; early layers light, late ones dark."""
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
    return STEPS[round(4 * place / max(1, steps - 1))]


def density_heights(bars: list[Bar]) -> list[int]:
    """Heights 0 to 24 of bars' log counts."""
    most = math.log1p(max((count for _low, _high, count in bars), default=0)) or 1
    return [math.ceil(24 * math.log1p(count) / most) for _low, _high, count in bars]
