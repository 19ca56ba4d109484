"""Pictures of rows: how many units are on how often, a unit over the order of rows, and over their places."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from app.field.queries import Course, Map
from app.latents.plots import COUNTS, activation_axis, bars_of
from app.latents.profiles import Histogram
from app.saes.queries import SaeInfo
from app.shared.densities import CurveInfo
from app.shared.figures import POSITIVE, SOFT, STEPS, Figure, axis, band, figure, short


def density_figure(info: CurveInfo, saes: list[SaeInfo]) -> Figure:
    """Units denser than x, one line a matrix."""
    lines = [
        {
            "type": "scatter", "mode": "lines", "name": sae.slug.split("/")[-1], "x": list(info.thresholds),
            "y": [count or None for count in info.counts[sae.slug]],
            "line": {"width": 1.8, "color": STEPS[round(4 * place / max(1, len(saes) - 1)) if len(saes) > 1 else 4]},
            "hovertemplate": "%{y:,} units on in more than %{x:.1%}<extra>%{fullData.name}</extra>",
        }
        for place, sae in enumerate(saes)
    ]  # fmt: skip
    x = axis("share of rows", type="log", tickformat="~%", dtick=1, range=[-3, 0])
    return figure(lines, 280, x, axis("units on more often than that", rangemode="tozero"), hovermode="closest")


def activation_figure(histogram: Histogram) -> Figure:
    """Rows by activation, where the unit is on."""
    bars = bars_of(histogram)
    data = {
        "type": "bar", "x": [short(at) for at in bars.centre], "width": [short(wide) for wide in bars.width],
        "y": bars.tokens, "marker": {"color": POSITIVE, "line": {"width": 0}},
        "hovertemplate": "%{x:.3g}: %{y:,} rows<extra></extra>",
    }  # fmt: skip
    return figure([data], 240, activation_axis(histogram), axis("rows", **COUNTS), bargap=0)


EPOCH = (9e8, 4.2e9)
"""Seconds since 1970 from 1998 to 2103: an order within these is one of dates."""


def moment(seconds: float) -> str:
    """As plotly reads a date."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")


def course_figure(course: Course, title: str) -> Figure:
    """Mean activation in each bin of the order, with its interval over groups."""
    middle: list[Any] = [(low + high) / 2 for low, high in zip(course.edges, course.edges[1:], strict=False)]
    dates = bool(middle) and EPOCH[0] < middle[0] and middle[-1] < EPOCH[1]
    middle = [moment(at) if dates else at for at in middle]
    line: dict[str, Any] = {
        "type": "scatter", "mode": "lines", "x": middle, "y": [short(at) for at in course.mean],
        "line": {"width": 1.8, "color": POSITIVE}, "name": "mean", "hovertemplate": "%{y:.3g}<extra></extra>",
    }  # fmt: skip
    shade = band(middle, course.low, course.high, "95 % interval", POSITIVE)
    across = axis(title, type="date") if dates else axis(title)
    return figure([shade, line], 240, across, axis("mean activation", nticks=5, **_window(course)))


def _window(course: Course) -> dict[str, Any]:
    """Few groups in a part make its interval as wide as the page: what lies far beyond all means is cut."""
    means = [value for value in course.mean if value is not None]
    if not means:
        return {}
    wide = (max(means) - min(means)) or abs(means[0]) or 1.0
    ends = [value for line in (course.low, course.high) for value in line if value is not None]
    low, high = min([*means, *ends]), max([*means, *ends])
    return {"range": [short(max(low, min(means) - wide)), short(min(high, max(means) + wide))]}


def map_figure(found: Map, x: str, y: str) -> Figure:
    """Mean activation at each place."""
    data = {
        "type": "heatmap", "x": found.x, "y": found.y, "z": found.mean, "colorscale": [[0, SOFT], [1, POSITIVE]],
        "hovertemplate": "%{x}, %{y}: %{z:.3g}<extra></extra>", "showscale": True,
    }  # fmt: skip
    return figure([data], 320, axis(x), axis(y, scaleanchor="x", autorange="reversed"))
