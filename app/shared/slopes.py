"""Slopes: a count before, and what it is after one thing was changed or another, the controls beside it.

Drawn by the server as lines at per cent of the width, so that text keeps its size on a phone and no script is needed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from app.shared.colours import Stroke
from app.shared.numbers import count

DASHES = {"solid": "", "dot": "2 4", "dash": "8 5", "dashdot": "8 4 2 4"}
"""As SVG has them; of what is not named here `_LONG`."""
_LONG = "12 5"
START, END, LABEL = 16.0, 44.0, 53.0
"""Per cent of the width: where lines begin and end, and where their names stand."""
_SPREAD = 5.0  # per cent between the first end and the last: no interval hides another
_LINE, _HEAD, _FOOT = 21.0, 34.0, 12.0  # pixels: between two names, above the picture, below it
_LEAST = 210.0


class End(NamedTuple):
    """A count after something was changed."""

    name: str
    value: float
    low: float | None
    high: float | None
    """95 % interval."""
    stroke: Stroke


class Slope(NamedTuple):
    """One line, in per cent across and pixels down."""

    mark: str
    dash: str
    width: float
    x: float
    y: float
    low: float | None
    high: float | None
    """Ends of the interval, in pixels."""
    label_y: float
    name: str
    value: str


class Slopes(NamedTuple):
    """The picture."""

    height: float
    base: float
    """Where nothing is, in pixels down."""
    y: float
    low: float | None
    high: float | None
    value: str
    """Of what all lines begin at."""
    lines: list[Slope]


def rough(value: float) -> str:
    """A count, or a mean of counts, for a picture or a sentence: whole from ten on."""
    if value >= 10 or float(value).is_integer():
        return count(round(value))
    return f"{value:.1f}"


def slopes(before: End, after: Sequence[End]) -> Slopes | None:
    """Lay out; None where there is nothing to hold it against."""
    if not after:
        return None
    height = max(_LEAST, _HEAD + _FOOT + _LINE * len(after))
    top = max([one.value if one.high is None else max(one.value, one.high) for one in (before, *after)] + [1.0])

    def down(value: float | None) -> float | None:
        return None if value is None else round(height - _FOOT - (height - _HEAD - _FOOT) * value / top, 1)

    ordered = sorted(range(len(after)), key=lambda place: -after[place].value)
    labels = dict(zip(ordered, _apart([down(after[place].value) or 0.0 for place in ordered], height), strict=True))
    lines = [
        Slope(
            f"s{one.stroke.colour}", DASHES.get(one.stroke.dash, _LONG), one.stroke.width,
            round(END + _SPREAD * place / max(1, len(after) - 1), 1), down(one.value) or 0.0, down(one.low),
            down(one.high), labels[place], one.name, rough(one.value),
        )
        for place, one in enumerate(after)
    ]  # fmt: skip
    base, y = down(0.0) or 0.0, down(before.value) or 0.0
    return Slopes(height, base, y, down(before.low), down(before.high), rough(before.value), lines)


def _apart(wanted: list[float], height: float) -> list[float]:
    """Places of names, from the top down: as near to the wanted ones as no two overlapping allows."""
    placed: list[float] = []
    for y in wanted:
        placed.append(max(y, placed[-1] + _LINE) if placed else max(y, _HEAD))
    floor = height - _FOOT
    for place in range(len(placed) - 1, -1, -1):
        placed[place] = round(min(placed[place], floor), 1)
        floor = placed[place] - _LINE
    return placed
