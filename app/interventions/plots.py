"""Effects of taking something out: own against controls. Ink is what is asked about, grey what it is held against."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from app.interventions.queries import Change, Dot
from app.shared.figures import BANDS, CARD, DIM, INK, NEITHER, Figure, as_text, axis, figure, level, mark, whiskers
from app.shared.language import N_, _
from store.vocabulary import OWN, RANDOM

MOST = 400  # controls in a plot: more would only be weight
TITLES = {"loss": N_("|change of the loss|"), "kl": "KL", "entropy": N_("|change of the entropy|")}


Marked = tuple[int | None, int | None]
"""Of a latent: (index, None); of a pair: (positive, negative)."""


class EffectsInfo(NamedTuple):
    """Points of one measure; sizes are |effect|, nats per token."""

    marked: list[tuple[Dot, str]]
    """What the page is about, with its colour."""
    others: list[Dot]
    """The SAE's other latents and pairs."""
    controls: list[Dot]
    """A random direction or a sparse latent's, each with one latent's activations."""
    floor: float
    """Below it nothing is drawn: a logarithm has no place for none."""


def effects_info(dots: Sequence[Dot], marks: Mapping[Marked, str], measure: str) -> EffectsInfo:
    """Sort the points of a plot; of too many controls every so-maniest is kept.

    Args:
        marks: what the page is about, with its colour.
    """
    own = [dot for dot in dots if dot.what == OWN]
    marked = [(dot, marks[dot.index, dot.other]) for dot in own if (dot.index, dot.other) in marks]
    others = [dot for dot in own if (dot.index, dot.other) not in marks]
    controls = [dot for dot in dots if dot.what != OWN]
    sizes = [size for dot in dots if (size := size_of(dot.measures[measure])[0]) > 0]
    return EffectsInfo(marked, others, controls[:: 1 + len(controls) // MOST], min(sizes, default=1e-6))


def size_of(effect: Change) -> tuple[float, float, float]:
    """|effect| with the ends of its interval; an interval around zero begins at zero."""
    size = abs(effect.value or 0.0)
    if effect.low is None or effect.high is None:
        return size, size, size
    low = 0.0 if effect.low <= 0 <= effect.high else min(abs(effect.low), abs(effect.high))
    return size, min(low, size), max(abs(effect.low), abs(effect.high))


def name_of(dot: Dot) -> str:
    """A latent or a pair in a word or two."""
    return (
        _("latent %(index)s", index=dot.index)
        if dot.other is None
        else _("pair %(index)s / %(other)s", index=dot.index, other=dot.other)
    )


def effects_figure(info: EffectsInfo, measure: str, epsilon: float | None, slug: str, query: str) -> Figure:
    """Length of what is taken out against the size of what follows.

    Args:
        epsilon: drawn as a line, where the measure is the loss.
    """
    controls = [
        _dots([dot for dot in info.controls if (dot.what == RANDOM) is is_random], info, measure, name, symbol, NEITHER)
        for is_random, name, symbol in (
            (True, _("random direction"), "circle"),
            (False, _("sparse latent"), "x-thin-open"),
        )
    ]
    others = _dots(info.others, info, measure, "", "circle", DIM)
    others["customdata"] = [[_address(dot, slug, query), name_of(dot)] for dot in info.others]
    others["hovertemplate"] = f"%{{customdata[1]}}: {_numbers(measure)}"
    x = axis(_("length taken out (median norms of the layer)"), type="log")
    y = axis(_("%(measure)s (nats per token)", measure=TITLES[measure]), type="log", dtick=1, tickformat="~g")
    shapes = [level(epsilon)] if epsilon and measure == "loss" else []
    data = [part for part in (*controls, others) if part["x"]]
    data += [_mark(dot, colour, info, measure) for dot, colour in info.marked]
    return figure(data, 300, x, y, shapes=shapes, hovermode="closest")


def _address(dot: Dot, slug: str, query: str) -> str:
    page = f"latents/{dot.index}" if dot.other is None else f"pairs/{dot.index}/{dot.other}"
    return f"/saes/{slug}/{page}{query}"


def _dots(dots: list[Dot], info: EffectsInfo, measure: str, name: str, symbol: str, colour: str) -> dict[str, Any]:
    return {
        "type": "scatter", "mode": "markers", "name": name, "x": [_short(dot.norm) for dot in dots],
        "y": [_short(max(info.floor, size_of(dot.measures[measure])[0])) for dot in dots],
        "marker": {"color": colour, "size": 6, "symbol": symbol, "opacity": 0.75,
                   "line": {"width": 1, "color": colour}},
        "hovertemplate": f"{name}: {_numbers(measure)}",
    }  # fmt: skip


def _mark(dot: Dot, colour: str, info: EffectsInfo, measure: str) -> dict[str, Any]:
    made = _dots([dot], info, measure, name_of(dot), "diamond", colour)
    made["marker"] |= {"size": 11, "line": {"width": 1.5, "color": CARD}, "opacity": 1}
    size, low, high = size_of(dot.measures[measure])
    # a whisker down to zero has no end on a logarithmic axis: it stops well below the smallest point
    down = max(0.0, size - max(low, info.floor / 3))
    made["error_y"] = {"type": "data", "symmetric": False, "array": [high - size], "arrayminus": [down],
                       "color": colour, "thickness": 1.5, "width": 0}  # fmt: skip
    return made


def _numbers(measure: str) -> str:
    return f"{TITLES[measure]} %{{y:.2g}}, length %{{x:.2g}}<extra></extra>"


def _short(value: float) -> float:
    return float(f"{value:.3g}")


class Line(NamedTuple):
    """A row of a dot-and-interval plot."""

    name: str
    value: float
    low: float | None
    high: float | None
    strong: bool
    """What the plot is about; else what it is held against."""


def dots_figure(
    lines: Sequence[Line], title: str, form: str, marks: Sequence[float] = (), span: tuple[float, float] | None = None
) -> Figure:
    """One dot a row with its interval, several where rows have the same name.

    Args:
        form: of the numbers on hover, in d3's words.
        marks: dotted lines.
        span: a band of paper behind all, e.g. what counts as none.
    """
    groups = [[line for line in lines if line.strong is strong] for strong in (False, True)]
    data = [_row_dots(group, form) for group in groups if group]
    names = list(dict.fromkeys(as_text(line.name) for line in lines))
    y = axis(" ", type="category", categoryorder="array", categoryarray=names[::-1], range=[-0.6, len(names) - 0.4])
    band = {"type": "rect", "yref": "paper", "y0": 0, "y1": 1, "line": {"width": 0}, "fillcolor": BANDS[INK],
            "layer": "below"}  # fmt: skip
    shapes = [*([{**band, "x0": span[0], "x1": span[1]}] if span else []), *(mark(at) for at in marks)]
    x = axis(title, nticks=6, rangemode="tozero", zeroline=True)
    return figure(data, 70 + 30 * len(names), x, y, shapes=shapes, hovermode="closest")


def _row_dots(lines: Sequence[Line], form: str) -> dict[str, Any]:
    strong, values = lines[0].strong, [line.value for line in lines]
    edge = INK if strong else DIM
    return {
        "type": "scatter", "mode": "markers", "x": values,
        "y": [as_text(line.name) for line in lines],
        "marker": {"color": INK if strong else NEITHER, "size": 10 if strong else 8,
                   "symbol": "diamond" if strong else "circle", "line": {"width": 1, "color": edge}},
        "error_x": whiskers(values, [line.low for line in lines], [line.high for line in lines], edge, 1.4),
        "hovertemplate": f"%{{y}}: %{{x:{form}}}<extra></extra>",
    }  # fmt: skip
