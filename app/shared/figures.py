"""A plot with its words and numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

Figure = dict[str, Any]

INK, DIM, POSITIVE, NEGATIVE, NEITHER = "--ink", "--dim", "--p", "--n", "--z"
BANDS = {INK: "--ink-band", POSITIVE: "--p-band", NEGATIVE: "--n-band"}
STEPS = ("--step0", "--step1", "--step2", "--step3", "--step4")
LAYERS = tuple(f"--layer{step}" for step in range(8))
"""A ramp from early to late."""
CARD, SOFT, EDGE, GROUND, LINE = "--card", "--soft", "--edge", "--bg", "--line"
SEVERAL_FILL, PARTLY_FILL, UNEXPLAINED_FILL = "--several", "--partly", "--unexplained"
COLOURS = (
    INK, DIM, POSITIVE, NEGATIVE, NEITHER, CARD, SOFT, EDGE, GROUND, LINE, SEVERAL_FILL, PARTLY_FILL, UNEXPLAINED_FILL,
    *BANDS.values(), *STEPS, *LAYERS,
)  # fmt: skip
"""All but those of classes, which their views declare."""


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


def as_text(text: str) -> str:
    """A string for an axis or a hover: plotly reads a little markup there, and tokens are text."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def short(value: float | None) -> float | None:
    """Four digits: more than a pixel shows."""
    return None if value is None else float(f"{value:.4g}")


@dataclass(frozen=True)
class View:
    """A plot among others one can switch between, with its text alternative."""

    name: str
    title: str
    figure: Figure | None
    """None: it is drawn when asked for."""
    summary: str
    """What the plot shows, in words and numbers."""
    head: tuple[str, ...]
    """Column heads of the table of its numbers."""
    rows: Sequence[tuple[str, ...]]
    """The numbers, as shown."""
    later: str = ""
    """Address of what is left out here, the table or the plot as well; empty where nothing is."""


def level(at: float) -> dict[str, Any]:
    """A dotted line across."""
    return {"type": "line", "xref": "paper", "x0": 0, "x1": 1, "y0": at, "y1": at,
            "line": {"color": DIM, "width": 1.2, "dash": "dot"}}  # fmt: skip


def band(
    x: Sequence[Any], low: Sequence[float | None], high: Sequence[float | None], name: str, colour: str = INK
) -> dict[str, Any]:
    """An area between two lines; places without both are left out."""
    known = [
        (at, below, above)
        for at, below, above in zip(x, low, high, strict=False)
        if below is not None and above is not None
    ]
    return {
        "type": "scatter", "mode": "lines", "fill": "toself", "fillcolor": BANDS.get(colour, BANDS[INK]),
        "line": {"width": 0}, "hoverinfo": "skip", "name": name,
        "x": [at for at, _low, _high in known] + [at for at, _low, _high in known[::-1]],
        "y": [above for _at, _low, above in known] + [below for _at, below, _high in known[::-1]],
    }  # fmt: skip


def whiskers(
    values: Sequence[float], low: Sequence[float | None], high: Sequence[float | None], colour: str, thickness: float
) -> dict[str, Any]:
    """Intervals around some values, where there are any."""
    return {
        "type": "data", "symmetric": False, "color": colour, "thickness": thickness, "width": 0,
        "array": [0.0 if end is None else max(0.0, end - at) for at, end in zip(values, high, strict=True)],
        "arrayminus": [0.0 if end is None else max(0.0, at - end) for at, end in zip(values, low, strict=True)],
    }  # fmt: skip


def mark(at: float) -> dict[str, Any]:
    """A dotted line from bottom to top."""
    return {"type": "line", "yref": "paper", "y0": 0, "y1": 1, "x0": at, "x1": at,
            "line": {"color": DIM, "width": 1.2, "dash": "dot"}}  # fmt: skip
