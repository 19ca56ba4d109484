"""Figures of what dense latents do, layer by layer: the stack, and density against antipodality.

Colour means the two poles everywhere in this product, so classes cannot have colours of their own. They get
the ink in five steps, and every second one is hatched: neighbours in a stack differ in both, in light, in
dark, in print and for any eye. What is unexplained is paper with an outline, what was not measured is dotted.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from app.classes.groups import REST, SEVERAL, fill_of, ordered, title_of
from app.saes.queries import Point, SaeInfo
from app.shared.densities import Bar
from app.shared.figures import CARD, EDGE, INK, NEITHER, Figure, axis, figure


def group_query(group: str) -> str:
    """The filter of the list of latents that shows exactly this group."""
    if group == SEVERAL:
        return "alone=false"
    return f"class={group}" if group in REST else f"class={group}&alone=true"


def stack_figure(saes: list[SaeInfo], groups: Mapping[int, Mapping[str, int]], pin: str, small: bool = False) -> Figure:
    """Dense latents by layer, each counted once; below them, unless small, the L0 of the same SAEs."""
    bars = [_stacked(group, saes, groups, pin) for group, _name in legend(groups)]
    x = axis("layer", type="category", showgrid=False)
    more: dict[str, Any] = {"barmode": "stack", "bargap": 0.28}
    if small:
        return figure(bars, 240, x, axis("dense latents", nticks=4), **more)
    below = axis("L0", domain=[0, 0.17], nticks=3, rangemode="tozero", anchor="x")
    bars.append(_l0(saes, pin))
    above = axis("dense latents", domain=[0.25, 1], nticks=6)
    return figure(bars, 450, {**x, "anchor": "y2"}, above, yaxis2=below, **more)


def legend(groups: Mapping[int, Mapping[str, int]]) -> list[tuple[str, str]]:
    """(group, name) of those that occur, from the bottom of the stack up; the page draws it, so that it wraps."""
    held = {name for counts in groups.values() for name, count in counts.items() if count}
    return [(group, title_of(group)) for group in ordered(held) if group in held]


def _stacked(group: str, saes: list[SaeInfo], groups: Mapping[int, Mapping[str, int]], pin: str) -> dict[str, Any]:
    more = f"&{pin}" if pin else ""
    counts = [groups.get(sae.analysis_id, {}).get(group, 0) for sae in saes]
    return {
        "type": "bar", "name": title_of(group), "x": [place_of(sae, saes) for sae in saes], "y": counts,
        "customdata": [[f"/latents?sae={sae.slug}&{group_query(group)}{more}", sae.n_dense] for sae in saes],
        "marker": _fill(group),
        "hovertemplate": f"layer %{{x}}, {title_of(group)}: %{{y}} of %{{customdata[1]}} dense latents<extra></extra>",
    }  # fmt: skip


def _fill(group: str) -> dict[str, Any]:
    fill = fill_of(group)
    ink = fill.colour
    made: dict[str, Any] = {"color": ink, "line": {"width": 1, "color": EDGE if ink == CARD else CARD}}
    if fill.hatch:
        hatch = {"shape": fill.hatch, "fgcolor": ink, "bgcolor": CARD, "size": 6, "solidity": 0.35,
                 "fillmode": "replace"}  # fmt: skip
        made |= {"pattern": hatch, "line": {"width": 1, "color": ink}}
    return made


def _l0(saes: list[SaeInfo], pin: str) -> dict[str, Any]:
    more = f"&{pin}" if pin else ""
    return {
        "type": "bar", "name": "L0", "showlegend": False, "yaxis": "y2", "y": [sae.l0 for sae in saes],
        "x": [place_of(sae, saes) for sae in saes], "marker": {"color": NEITHER},
        "customdata": [[f"/latents?sae={sae.slug}{more}"] for sae in saes],
        "hovertemplate": "layer %{x}: %{y:.1f} latents on per token<extra></extra>",
    }  # fmt: skip


def place_of(sae: SaeInfo, saes: list[SaeInfo]) -> str:
    """An SAE on an axis: its layer, with its name where a layer has several."""
    alone = sum(other.layer == sae.layer for other in saes) == 1
    return f"{sae.layer}" if alone else f"{sae.layer} {sae.slug.rsplit('/', 1)[-1]}"


def panel_figure(sae: SaeInfo, points: list[Point], densities: list[Bar], pin: str) -> Figure:
    """One layer: latents by density above, density against antipodality below, on one axis.

    Args:
        points: its latents of 1 % and more.
        densities: (from, to, latents) of each bar.
    """
    more = f"&{pin}" if pin else ""
    # bars hold what is above their lower end; the filter holds both ends
    known = [bar for bar in densities if bar[1] > 0.01]
    bars = {
        "type": "bar", "yaxis": "y2", "x": [math.sqrt(low * high) for low, high, _n in known],
        "width": [(high - low) * 0.92 for low, high, _n in known], "y": [count or None for _low, _high, count in known],
        "customdata": [
            [f"/latents?sae={sae.slug}&dense=any&min_density={low * 1.000001:.7g}&max_density={high:.7g}{more}",
             f"{100 * low:.2g} to {100 * high:.2g} %"]
            for low, high, _n in known
        ],
        "marker": {"color": NEITHER, "line": {"width": 0}},
        "hovertemplate": "%{y} latents of density %{customdata[1]}<extra></extra>",
    }  # fmt: skip
    query = f"?{pin}" if pin else ""
    groups = ((True, "circle"), (False, "circle-open"))
    dots = [_dots([point for point in points if point.mirror is mirror], sign, query) for mirror, sign in groups]
    x = axis("density", type="log", range=[-2.05, 0.02], tickvals=[0.01, 0.1, 1], ticktext=["1 %", "10 %", "100 %"],
             dtick=1, anchor="y")  # fmt: skip
    y = axis("antipodality", range=[-0.06, 1.06], domain=[0, 0.68], tickvals=[0, 0.5, 1])
    y2 = axis("latents", domain=[0.76, 1], nticks=3, rangemode="tozero", anchor="x", showgrid=False)
    return figure(
        [bars, *(part for part in dots if part["x"])], 290, x, y, yaxis2=y2, hovermode="closest", bargap=0
    )  # fmt: skip


def _dots(points: list[Point], symbol: str, query: str) -> dict[str, Any]:
    return {
        "type": "scatter", "mode": "markers", "x": [round(point.density, 5) for point in points],
        "y": [round(point.antipodality, 3) for point in points],
        "customdata": [[f"/saes/{dot.slug}/latents/{dot.index}{query}", dot.index] for dot in points],
        "marker": {"color": INK, "size": 5, "opacity": 0.55, "symbol": symbol, "line": {"width": 1, "color": INK}},
        "hovertemplate": "latent %{customdata[1]}<br>density %{x:.1%}, antipodality %{y:.2f}<extra></extra>",
    }  # fmt: skip
