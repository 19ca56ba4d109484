"""Figures of one latent or one pair: activations, signed activations, position."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any, NamedTuple

from app.latents.profiles import Histogram, Series
from app.latents.queries import LatentInfo
from app.pairs.queries import PairInfo
from app.shared.figures import BANDS, NEGATIVE, NEITHER, POSITIVE, Figure, axis, figure


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
