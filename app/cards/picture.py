"""A histogram as shapes between 0 and 1, for what the server draws itself: cards and panels.

No script runs there, so this is SVG's own work; colours are left to who draws it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from app.latents.plots import SignedInfo, bars_of
from app.latents.profiles import Histogram
from app.pairs.queries import PairInfo
from app.shared.language import _
from app.shared.numbers import count, minus, number

FLOOR = 0.3  # of a decade below one token, so that a bar of one has a height


@dataclass(frozen=True)
class Bar:
    """From `left` to `left + width`, `height` high; of a whole of 1 by 1."""

    left: float
    width: float
    height: float
    side: str
    """p, n or z: which pole is on, or neither."""


@dataclass(frozen=True)
class Tick:
    """A place on an axis, from 0 to 1, and what is written there."""

    at: float
    label: str


@dataclass(frozen=True)
class Picture:
    """Tokens by activation, their number on a logarithmic axis."""

    bars: list[Bar]
    x: list[Tick]
    y: list[Tick]
    title: str
    """Of the axis of activation."""
    key: list[tuple[str, str]]
    """Side and what it stands for."""


def signed_picture(pair: PairInfo, info: SignedInfo) -> Picture:
    """Both poles on one axis; in each bin the tallest bar lies at the back."""
    low, span = info.centre[0] - info.width / 2, info.width * len(info.centre)
    top = max(max(part) for part in (info.positive, info.negative, info.neither))
    bars = []
    for place, counts in enumerate(zip(info.positive, info.negative, info.neither, strict=True)):
        for side, tokens in sorted(zip("pnz", counts, strict=True), key=lambda part: -part[1]):
            if tokens:
                bars.append(_bar(place / len(info.centre), 1 / len(info.centre), _height(tokens, top), side))
    ticks = [Tick(round((value - low) / span, 4), minus(f"{value:g}")) for value in round_steps(low, low + span)]
    key = [("n", f"{pair.negative} on"), ("z", "neither"), ("p", f"{pair.positive} on")]
    return Picture(bars, ticks, _tokens(top), _("signed activation z (sd of z)"), key)


def own_picture(index: int, histogram: Histogram, side: str) -> Picture | None:
    """One latent where it is on; None where it never is. Logarithmic, as the bins are, unless it is signed."""
    held = bars_of(histogram)
    if not held.tokens:
        return None
    edges = [(at - wide / 2, at + wide / 2) for at, wide in zip(held.centre, held.width, strict=True)]
    log = all(edge > 0 for edge in histogram.edges)
    low, high = edges[0][0], edges[-1][1]

    def place(value: float) -> float:
        return math.log(value / low) / math.log(high / low) if log else (value - low) / (high - low)

    top = max(held.tokens)
    bars = [
        _bar(place(left), place(right) - place(left), _height(tokens, top), side)
        for (left, right), tokens in zip(edges, held.tokens, strict=True)
        if tokens
    ]
    values = round_decades(low, high) if log else round_steps(low, high)
    ticks = [Tick(round(place(value), 4), number(value, 1) if log else minus(f"{value:g}")) for value in values]
    return Picture(bars, ticks, _tokens(top), "activation", [(side, f"{index} on")])


def _bar(left: float, width: float, height: float, side: str) -> Bar:
    return Bar(round(left, 4), round(width, 4), round(height, 4), side)


def _height(tokens: int, top: int) -> float:
    return (math.log10(tokens) + FLOOR) / (math.log10(top) + FLOOR)


def _tokens(top: int) -> list[Tick]:
    """Powers of ten; every second one where there are many."""
    powers = range(0, math.floor(math.log10(top)) + 1, 1 if top < 10_000 else 2)
    return [Tick(round(_height(10**power, top), 4), count(10**power)) for power in powers]


def round_steps(low: float, high: float, wanted: int = 6) -> list[float]:
    """Multiples of 1, 2 or 5 times a power of ten from `low` to `high`, about as many as `wanted`."""
    rough = (high - low) / wanted
    unit = 10 ** math.floor(math.log10(rough))
    step = next(factor * unit for factor in (1, 2, 5, 10) if factor * unit >= rough)
    return [round(place * step, 10) for place in range(math.ceil(low / step), math.floor(high / step) + 1)]


def round_decades(low: float, high: float, wanted: int = 7) -> list[float]:
    """1, 2 and 5 of each power of ten from `low` to `high`; fewer of each where these are more than `wanted`."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for factors in ((1, 2, 5), (1, 3), (1,)):
        values = [factor * 10.0**power for power in powers for factor in factors]
        kept = [value for value in values if low <= value <= high]
        if len(kept) <= wanted:
            return kept
    return kept[:: math.ceil(len(kept) / wanted)]
