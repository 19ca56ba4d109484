"""Figures of two to four latents on shared axes. Told apart by shade and dashes; colour is for a pair's two poles."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from app.latents.plots import activation_axis, series_traces
from app.latents.profiles import Histogram, Series
from app.shared.colours import Stroke
from app.shared.figures import Figure, axis, figure
from app.shared.language import _
from app.shared.numbers import THIN

STROKES = (
    Stroke("--ink", "solid", 2.0),
    Stroke("--step2", "dash", 2.0),
    Stroke("--step1", "solid", 1.8),
    Stroke("--ink", "dot", 2.0),
)
POLES = (Stroke("--p", "solid", 2.0), Stroke("--n", "solid", 2.0))


class Outline(NamedTuple):
    """A histogram as a line over its bars, in shares of its run's tokens."""

    name: str
    stroke: Stroke
    histogram: Histogram
    tokens: int
    """Counted tokens of the run: what the shares are of."""


class Line(NamedTuple):
    """Mean activation over position."""

    name: str
    stroke: Stroke
    series: Series


def outline_points(line: Outline, floor: float) -> tuple[list[float], list[float]]:
    """Edges and shares, from `floor` up and back to it; bins without a token lie on it."""
    edges, counts = line.histogram.edges, line.histogram.counts
    full = [place for place, count in enumerate(counts) if count]
    if not full:
        return [], []
    places = range(full[0], full[-1] + 1)
    shares = [counts[place] / line.tokens if counts[place] else floor for place in places]
    x = [edges[places[0]], *(edges[place] for place in places), edges[places[-1] + 1], edges[places[-1] + 1]]
    return x, [floor, *shares, shares[-1], floor]


def floor_of(lines: list[Outline]) -> float:
    """Half of what one token is of the longest text: below every bar."""
    return 0.5 / max(line.tokens for line in lines)


def histograms_figure(lines: list[Outline]) -> Figure:
    """How strongly the latents fire, where they fire."""
    floor = floor_of(lines)
    points = [outline_points(line, floor) for line in lines]
    top = max((share for _x, y in points for share in y), default=1.0)
    data = [_outline(line, *held) for line, held in zip(lines, points, strict=True)]
    powers = [10.0**power for power in range(math.ceil(math.log10(floor)), math.ceil(math.log10(top)) + 1)]
    y = axis(_("share of tokens"), type="log", range=[math.log10(floor), math.log10(top) + 0.12], tickvals=powers,
             ticktext=[_percent(power) for power in powers])  # fmt: skip
    return figure(data, 320, activation_axis(*(line.histogram for line in lines)), y, hovermode="closest")


def _percent(power: float) -> str:
    """A power of ten in per cent, without an exponent and without noughts behind."""
    return f"{100 * power:.10f}".rstrip("0").rstrip(".") + f"{THIN}%"


def _outline(line: Outline, x: list[float], y: list[float]) -> dict[str, Any]:
    return {
        "type": "scatter", "mode": "lines", "name": line.name, "x": x, "y": y,
        "line": {"color": line.stroke.colour, "dash": line.stroke.dash, "width": line.stroke.width, "shape": "hv"},
        "hovertemplate": "from %{x:.3g}: %{y:.2~%} of tokens<extra>%{fullData.name}</extra>",
    }  # fmt: skip


def positions_figure(kind: str, lines: list[Line]) -> Figure:
    """Mean activation against the distance from the start of `kind`."""
    data = [part for line in lines for part in series_traces(line.name, line.series, *line.stroke)]
    return figure(
        data,
        320,
        axis(_("tokens from start of %(kind)s", kind=kind)),
        axis(_("mean activation"), rangemode="tozero", nticks=5),
        hovermode="closest",
    )
