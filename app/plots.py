"""Plotly figures as plain JSON, without plotly: importing it would cost the server a second.

Each plot is two steps: `..._info` gathers the numbers (tested as numbers), `..._figure` dresses
them. Colours are names of CSS variables ("--p"); static/plots.js puts the theme's values in.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from itertools import pairwise
from typing import Any, NamedTuple

from app.queries.latents import LatentInfo
from app.queries.pairs import PairInfo
from app.queries.profiles import Histogram, Series
from app.queries.saes import Point, SaeInfo

Figure = dict[str, Any]

INK, DIM, POSITIVE, NEGATIVE, NEITHER = "--ink", "--dim", "--p", "--n", "--z"
BANDS = {POSITIVE: "--p-band", NEGATIVE: "--n-band"}
STEPS = ("--step0", "--step1", "--step2", "--step3", "--step4")
COLOURS = (INK, DIM, POSITIVE, NEGATIVE, NEITHER, *BANDS.values(), *STEPS)


def axis(title: str, **more: Any) -> dict[str, Any]:
    """An axis with its title; zooming is off, so that scrolling a page over a plot scrolls."""
    return {"title": {"text": title}, "fixedrange": True, **more}


def figure(data: list[dict[str, Any]], height: int, x: dict[str, Any], y: dict[str, Any], **layout: Any) -> Figure:
    """A figure with the house's margins."""
    shared = {
        "height": height,
        "showlegend": False,
        "margin": {"l": 56, "r": 12, "t": 8, "b": 44},
        "xaxis": x,
        "yaxis": y,
    }
    return {"data": data, "layout": {**shared, **layout}}


class Bars(NamedTuple):
    """Bars between neighbouring edges."""

    centre: list[float]
    width: list[float]
    tokens: list[int]


def bars_of(histogram: Histogram) -> Bars:
    """Bars of a histogram, the empty outer ones left out."""
    edges, counts = histogram.edges, histogram.counts
    full = [place for place, count in enumerate(counts) if count]
    places = range(full[0], full[-1] + 1) if full else range(0)
    return Bars(
        [(edges[place] + edges[place + 1]) / 2 for place in places],
        [edges[place + 1] - edges[place] for place in places],
        [counts[place] for place in places],
    )


def _bar(bars: Bars, colour: str, name: str, **more: Any) -> dict[str, Any]:
    return {
        "type": "bar", "x": bars.centre, "width": bars.width, "y": bars.tokens, "name": name,
        "marker": {"color": colour, "line": {"width": 0}},
        "hovertemplate": "%{x:.3g}: %{y:,} tokens<extra>%{fullData.name}</extra>", **more,
    }  # fmt: skip


def activation_axis(*histograms: Histogram) -> dict[str, Any]:
    """Logarithmic, as the bins are: one massive token at 100 times the rest would squeeze them to a line.

    Signed activations have no logarithm; theirs stays linear.
    """
    one_sided = all(edge > 0 for histogram in histograms for edge in histogram.edges)
    return axis("activation", type="log") if one_sided else axis("activation")


def histogram_figure(latent: LatentInfo, histogram: Histogram, colour: str) -> Figure:
    """How strongly the latent fires, where it fires."""
    bars = [_bar(bars_of(histogram), colour, f"latent {latent.index}")]
    return figure(bars, 250, activation_axis(histogram), axis("tokens", **COUNTS), bargap=0)


# log by default: the tail is what one looks for; a button makes it linear
COUNTS: dict[str, Any] = {"type": "log", "dtick": 1, "exponentformat": "power", "minexponent": 3}


def mirrored_figure(above: tuple[int, Histogram, str], below: tuple[int, Histogram, str]) -> Figure:
    """A latent's histogram over its partner's, each (index, histogram, colour).

    Two panels, since no log axis has a negative side.
    """
    first = _bar(bars_of(above[1]), above[2], f"latent {above[0]}")
    second = _bar(bars_of(below[1]), below[2], f"latent {below[0]}", yaxis="y2")
    top = max([*first["y"], *second["y"], 1])
    upper = axis("tokens", **COUNTS, domain=[0.5, 1], range=_log_range(top))
    lower = axis("", **COUNTS, domain=[0, 0.5], range=_log_range(top)[::-1], anchor="x")
    x = {**activation_axis(above[1], below[1]), "anchor": "y2"}
    return figure([first, second], 300, x, upper, yaxis2=lower, bargap=0)


def _log_range(top: float) -> list[float]:
    return [-0.3, math.log10(top) + 0.15]


class SignedInfo(NamedTuple):
    """Counts of tokens by z, in standard deviations of z."""

    centre: list[float]
    width: float
    positive: list[int]
    negative: list[int]
    neither: list[int]


def signed_info(pair: PairInfo) -> SignedInfo | None:
    """The pair's histogram without empty outer bins; None where there is none."""
    held = pair.histogram
    edges = held.get("edges") or []
    total = [
        sum(counts)
        for counts in zip(held.get("positive", []), held.get("negative", []), held.get("neither", []), strict=True)
    ]
    full = [place for place, count in enumerate(total) if count]
    if not full:
        return None
    cut = slice(full[0], full[-1] + 1)
    centre = [(low + high) / 2 for low, high in pairwise(edges)][cut]
    return SignedInfo(centre, edges[1] - edges[0], held["positive"][cut], held["negative"][cut], held["neither"][cut])


def signed_figure(pair: PairInfo, info: SignedInfo) -> Figure:
    """One signed axis: the negative pole on the left, the positive on the right, tokens with neither between."""
    width = [info.width] * len(info.centre)
    parts = (
        (info.negative, NEGATIVE, f"latent {pair.negative} on"),
        (info.neither, NEITHER, "neither on"),
        (info.positive, POSITIVE, f"latent {pair.positive} on"),
    )
    bars = [_bar(Bars(info.centre, width, counts), colour, name) for counts, colour, name in parts]
    # overlaid, not stacked: heights on a log axis do not add
    return figure(
        bars, 250, axis("signed activation z (sd of z)"), axis("tokens", **COUNTS), bargap=0, barmode="overlay"
    )


def position_figure(kind: str, lines: list[tuple[str, Series, str]]) -> Figure:
    """Mean activation against the distance from the start of `kind`; each line is (name, series, colour)."""
    data = [part for line in lines for part in _band(*line)]
    return figure(
        data, 250, axis(f"tokens from start of {kind}"), axis("mean activation", rangemode="tozero", nticks=5)
    )


def series_points(series: Series) -> list[tuple[float, float | None, float | None, float | None, float | None]]:
    """(middle of the bin, mean, low, high, tokens) of each bin."""
    middle = [(low + high - 1) / 2 for low, high in pairwise(series.edges)]
    return list(zip(middle, series.mean, series.low, series.high, series.tokens, strict=True))


def _band(name: str, series: Series, colour: str) -> list[dict[str, Any]]:
    points = series_points(series)
    known = [point for point in points if point[2] is not None and point[3] is not None]
    there = [point[0] for point in known]
    outline = {
        "type": "scatter", "mode": "lines", "fill": "toself", "fillcolor": BANDS[colour], "line": {"width": 0},
        "x": there + there[::-1], "y": [point[3] for point in known] + [point[2] for point in known][::-1],
        "hoverinfo": "skip", "name": f"{name}, 95 % interval",
    }  # fmt: skip
    line = {
        "type": "scatter", "mode": "lines", "line": {"color": colour, "width": 1.8}, "connectgaps": False, "name": name,
        "x": [point[0] for point in points], "y": [point[1] for point in points],
        "customdata": [[low, high, tokens] for _x, _y, low, high, tokens in points],
        "hovertemplate": "%{x:.0f}: %{y:.3g} (%{customdata[0]:.3g} to %{customdata[1]:.3g}; "
        "%{customdata[2]:,.0f} tokens)"
        "<extra>%{fullData.name}</extra>",
    }  # fmt: skip
    return [outline, line]


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


DECADES = [10 ** (step / 4) for step in range(-16, 1)]  # a quarter of a decade a bar, from 0.01 % to 100 %


def density_heights(descending: list[float]) -> list[int]:
    """Bar heights 0 to 24 of log counts, a bar for each quarter of a decade of density; rarer ones are in the first."""
    above = _counts_above(descending, [0.0, *DECADES[1:-1], 1.0])
    counts = [many - few for many, few in pairwise(above)]
    most = math.log1p(max(counts, default=0)) or 1
    return [math.ceil(24 * math.log1p(count) / most) for count in counts]
