"""Plots of one latent or one pair: activations, signed activations, position.

A page draws the first of several at once, and leaves the others and the tables of all to where they are asked for:
`later` is that address, and empty where all is shown.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from itertools import pairwise
from typing import Any, NamedTuple

from app.latents.profiles import POSITIONS, Histogram, Profiles, Series
from app.latents.queries import LatentInfo
from app.pairs.queries import PairInfo
from app.shared.figures import NEGATIVE, NEITHER, POSITIVE, Figure, View, axis, band, figure, short
from app.shared.language import _
from app.shared.numbers import count, number
from app.vocabulary import KINDS

COLOURS = {"p": POSITIVE, "n": NEGATIVE}
Line = tuple[str, Series, str]
"""Name, series, colour."""


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
        "type": "bar", "x": [short(at) for at in bars.centre], "width": [short(wide) for wide in bars.width],
        "y": bars.tokens, "name": name, "marker": {"color": colour, "line": {"width": 0}},
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
    bars = [_bar(bars_of(histogram), colour, _("latent %(index)s", index=latent.index))]
    marks = {str(latent.index): 1.0}
    return figure(bars, 250, activation_axis(histogram), axis("tokens", **COUNTS), bargap=0, meta={"marks": marks})


# log by default: the tail is what one looks for; a button makes it linear
COUNTS: dict[str, Any] = {"type": "log", "dtick": 1, "exponentformat": "power", "minexponent": 3}


def mirrored_figure(above: tuple[int, Histogram, str], below: tuple[int, Histogram, str]) -> Figure:
    """A latent's histogram over its partner's, each (index, histogram, colour).

    Two panels, since no log axis has a negative side.
    """
    first = _bar(bars_of(above[1]), above[2], _("latent %(index)s", index=above[0]))
    second = _bar(bars_of(below[1]), below[2], _("latent %(index)s", index=below[0]), yaxis="y2")
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


def signed_figure(pair: PairInfo, info: SignedInfo, norms: tuple[float, float] = (1.0, 1.0)) -> Figure:
    """One signed axis: the negative pole on the left, the positive on the right, tokens with neither between.

    Args:
        norms: of the decoder rows, the positive pole's first: z is in units of both.
    """
    width = [info.width] * len(info.centre)
    parts = (
        (info.negative, NEGATIVE, _("latent %(negative)s on", negative=pair.negative)),
        (info.neither, NEITHER, _("neither on")),
        (info.positive, POSITIVE, _("latent %(positive)s on", positive=pair.positive)),
    )
    bars = [_bar(Bars(info.centre, width, counts), colour, name) for counts, colour, name in parts]
    sd = pair.z_sd or math.inf
    marks = {str(pair.positive): short(norms[0] / sd), str(pair.negative): short(-norms[1] / sd)}
    x, y = axis(_("signed activation z (sd of z)")), axis("tokens", **COUNTS)
    # overlaid, not stacked: heights on a log axis do not add
    return figure(bars, 250, x, y, bargap=0, barmode="overlay", meta={"marks": marks})


def position_figure(kind: str, lines: list[tuple[str, Series, str]]) -> Figure:
    """Mean activation against the distance from the start of `kind`; each line is (name, series, colour)."""
    data = [part for line in lines for part in series_traces(*line)]
    return figure(
        data,
        250,
        axis(_("tokens from start of %(kind)s", kind=kind)),
        axis(_("mean activation"), rangemode="tozero", nticks=5),
    )


def series_points(series: Series) -> list[tuple[float, float | None, float | None, float | None, float | None]]:
    """(middle of the bin, mean, low, high, tokens) of each bin."""
    middle = [(low + high - 1) / 2 for low, high in pairwise(series.edges)]
    return list(zip(middle, series.mean, series.low, series.high, series.tokens, strict=True))


def series_traces(
    name: str, series: Series, colour: str, dash: str = "solid", width: float = 1.8
) -> list[dict[str, Any]]:
    """Mean activation over position as a line, over its interval."""
    points = [(*map(short, point[:4]), round(point[4] or 0)) for point in series_points(series)]
    at, mean, low, high = ([point[place] for point in points] for place in range(4))
    line = {
        "type": "scatter", "mode": "lines", "connectgaps": False, "name": name, "x": at, "y": mean,
        "line": {"color": colour, "width": width, "dash": dash}, "customdata": [point[2:] for point in points],
        "hovertemplate": "%{x:.0f}: %{y:.3g} (%{customdata[0]:.3g} to %{customdata[1]:.3g}; "
        "%{customdata[2]:,.0f} tokens)<extra>%{fullData.name}</extra>",
    }  # fmt: skip
    return [band(at, low, high, _("%(name)s, 95 %% interval", name=name), colour), line]


class Maker(NamedTuple):
    """A view that can be made."""

    name: str
    title: str
    make: Callable[[bool], View]
    """Called with whether to write the table, too."""


def made(makers: Sequence[Maker], later: str) -> list[View]:
    """The views. Where some may come `later`, only the first is drawn, and none has its table."""
    if not later:
        return [maker.make(True) for maker in makers]
    first = [replace(maker.make(False), later=later) for maker in makers[:1]]
    return first + [View(maker.name, maker.title, None, "", (), (), later) for maker in makers[1:]]


def histograms(
    latent: LatentInfo,
    mine: Histogram | None,
    pair: PairInfo | None,
    theirs: Histogram | None,
    later: str = "",
    norms: tuple[float, float] = (1.0, 1.0),
) -> list[View]:
    """Signed pair, this latent, over its mirror partner: those that there are.

    Args:
        pair: only where the two are mirror images; so, too, `theirs`, the partner's.
    """
    makers = []
    side = "n" if pair is not None and pair.negative == latent.index else "p"
    if pair is not None and (info := signed_info(pair)) is not None:
        makers.append(Maker("pair", _("pair, signed"), partial(signed, pair, info, norms)))
    if mine is not None:
        makers.append(Maker("latent", _("this latent"), partial(_own, latent, mine, side)))
    if mine is not None and theirs is not None:
        makers.append(Maker("mirrored", _("partner below"), partial(_mirrored, latent, mine, theirs, side)))
    return made(makers, later)


def signed(pair: PairInfo, info: SignedInfo, norms: tuple[float, float], table: bool = True) -> View:
    """Tokens by the signed signal z."""
    on, other, neither = (count(sum(part)) for part in (info.positive, info.negative, info.neither))
    summary = _(
        "%(positive)s is on for %(on)s tokens, %(negative)s for %(other)s, neither for %(neither)s.",
        positive=pair.positive,
        on=on,
        negative=pair.negative,
        other=other,
        neither=neither,
    )
    rows = [
        (number(at), count(low), count(zero), count(high))
        for at, high, low, zero in zip(info.centre, info.positive, info.negative, info.neither, strict=True)
        if table
    ]
    head = (_("z (sd)"), f"{pair.negative} on", "neither", f"{pair.positive} on")
    return View("pair", _("pair, signed"), signed_figure(pair, info, norms), summary, head, rows)


def _own(latent: LatentInfo, histogram: Histogram, side: str, table: bool) -> View:
    bars = bars_of(histogram)
    summary = _("It never fired.")
    if bars.tokens:
        # of the bins only their middles are known: the largest activation is the latent's own
        most = number(bars.centre[-1] if latent.max is None else latent.max)
        summary = _(
            "%(tokens)s tokens on which it is on, largest activation %(most)s;",
            tokens=count(sum(bars.tokens)),
            most=most,
        )
        summary += _(" eight bins to each doubling.")
    rows = [(number(at), count(tokens)) for at, tokens in zip(bars.centre, bars.tokens, strict=True) if table]
    plot = histogram_figure(latent, histogram, COLOURS[side])
    return View("latent", _("this latent"), plot, summary, ("activation", "tokens"), rows)


def _mirrored(latent: LatentInfo, mine: Histogram, theirs: Histogram, side: str, table: bool) -> View:
    other = latent.partner if latent.partner is not None else -1
    above = (latent.index, mine, COLOURS[side])
    below = (other, theirs, COLOURS["n" if side == "p" else "p"])
    rows = [
        (str(index), number(at), count(tokens))
        for index, histogram, _colour in (above, below)
        for at, _width, tokens in zip(*bars_of(histogram), strict=True)
        if table
    ]
    summary = _("Latent %(index)s above, its mirror partner %(other)s below.", index=latent.index, other=other)
    head = ("latent", "activation", "tokens")
    return View("mirrored", _("partner below"), mirrored_figure(above, below), summary, head, rows)


def positions(named: Sequence[tuple[str, Profiles, str]], later: str = "") -> list[View]:
    """Mean activation over position in context, paragraph and sentence: those that there are.

    Args:
        named: of each latent its name, its profiles, its colour.
    """
    makers = [
        Maker(kind, _("in %(kind)s", kind=KINDS.get(kind, kind)), partial(_position, kind, named))
        for kind in POSITIONS
        if any(profiles.has_position(kind) for _name, profiles, _colour in named)
    ]
    return made(makers, later)


def _position(kind: str, named: Sequence[tuple[str, Profiles, str]], table: bool) -> View:
    lines = [(name, series, colour) for name, of, colour in named if (series := of.position(kind)) is not None]
    rows = [
        (
            name,
            number(at),
            number(mean),
            _("%(first)s to %(second)s", first=number(low), second=number(high)) if low is not None else "",
            count(round(tokens or 0)),
        )
        for name, series, _colour in lines
        for at, mean, low, high, tokens in series_points(series)
        if table
    ]
    summary = _(
        "Mean activation over all tokens, on or off, with a 95 %% interval over documents, by position in %(kind)s.",
        kind=KINDS.get(kind, kind),
    )
    head = (_("latent"), _("position"), _("mean"), _("95 %% interval"), _("tokens"))
    return View(kind, _("in %(kind)s", kind=KINDS.get(kind, kind)), position_figure(kind, lines), summary, head, rows)
