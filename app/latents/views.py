"""Plots with their text alternatives."""

from __future__ import annotations

from app.latents.plots import (
    bars_of,
    histogram_figure,
    mirrored_figure,
    position_figure,
    series_points,
    signed_figure,
    signed_info,
)
from app.latents.profiles import Histogram, Profiles, Series
from app.latents.queries import LatentInfo
from app.pairs.queries import PairInfo
from app.shared.figures import NEGATIVE, POSITIVE, View
from app.shared.numbers import count, number

COLOURS = {"p": POSITIVE, "n": NEGATIVE}
OTHER = {"p": "n", "n": "p"}


def histograms(
    latent: LatentInfo, mine: Profiles, pair: PairInfo | None, theirs: Profiles | None, mirror: bool, side: str
) -> list[View]:
    """Signed pair, this latent, over its mirror partner: those that there are."""
    made = [signed(pair)] if mirror and pair is not None else []
    if mine.histogram is not None:
        made.append(_own(latent, mine.histogram, side))
    if mirror and mine.histogram is not None and theirs is not None and theirs.histogram is not None:
        made.append(_mirrored(latent, mine.histogram, theirs.histogram, side))
    return [view for view in made if view is not None]


def signed(pair: PairInfo) -> View | None:
    """Tokens by the signed signal z."""
    info = signed_info(pair)
    if info is None:
        return None
    on, other, neither = (count(sum(part)) for part in (info.positive, info.negative, info.neither))
    summary = f"{pair.positive} is on for {on} tokens, {pair.negative} for {other}, neither for {neither}."
    rows = [
        (number(at), count(low), count(zero), count(high))
        for at, high, low, zero in zip(info.centre, info.positive, info.negative, info.neither, strict=True)
    ]
    head = ("z (sd)", f"{pair.negative} on", "neither", f"{pair.positive} on")
    return View("pair", "pair, signed", signed_figure(pair, info), summary, head, rows)


def _own(latent: LatentInfo, histogram: Histogram, side: str) -> View:
    made = histogram_figure(latent, histogram, COLOURS[side])
    bars = bars_of(histogram)
    summary = "It never fired."
    if bars.tokens:
        span = f"from {number(bars.centre[0])} to {number(bars.centre[-1])}"
        summary = f"{count(sum(bars.tokens))} tokens with an activation {span}; eight bins to each doubling."
    rows = [(number(at), count(tokens)) for at, tokens in zip(bars.centre, bars.tokens, strict=True)]
    return View("latent", "this latent", made, summary, ("activation", "tokens"), rows)


def _mirrored(latent: LatentInfo, mine: Histogram, theirs: Histogram, side: str) -> View:
    other = latent.partner if latent.partner is not None else -1
    above = (latent.index, mine, COLOURS[side])
    below = (other, theirs, COLOURS[OTHER[side]])
    rows = [
        (name, number(at), count(tokens))
        for name, histogram in ((str(latent.index), mine), (str(other), theirs))
        for at, _width, tokens in zip(*bars_of(histogram), strict=True)
    ]
    summary = f"Latent {latent.index} above, its mirror partner {other} below."
    return View(
        "mirrored",
        "partner below",
        mirrored_figure(above, below),
        summary,
        ("latent", "activation", "tokens"),
        rows,
    )


def positions(latent: LatentInfo, mine: Profiles, side: str) -> tuple[list[View], list[tuple[str, str]]]:
    """Mean activation over position, and which kinds are missing and why."""
    lines = {kind: [(f"latent {latent.index}", series, COLOURS[side])] for kind, series in mine.positions.items()}
    missing = [
        (
            kind,
            str(
                latent.reasons.get(f"position_{kind}")
                or latent.reasons.get("detail")
                or "This text has no such boundaries."
            ),
        )
        for kind in ("context", "paragraph", "sentence")
        if kind not in lines
    ]
    return [position(kind, line) for kind, line in lines.items()], missing


def position(kind: str, lines: list[tuple[str, Series, str]]) -> View:
    """One panel: position in context, paragraph or sentence."""
    rows = [
        (
            name,
            number(at),
            number(mean),
            f"{number(low)} to {number(high)}" if low is not None else "",
            count(round(tokens or 0)),
        )
        for name, series, _colour in lines
        for at, mean, low, high, tokens in series_points(series)
    ]
    summary = f"Mean activation over all tokens, on or off, with a 95 % interval over documents, by position in {kind}."
    head = ("latent", "position", "mean", "95 % interval", "tokens")
    return View(kind, f"in {kind}", position_figure(kind, lines), summary, head, rows)
