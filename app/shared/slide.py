"""A slide for a meeting: an answer in words, pictures that carry it, what was decided, what it does not show.

Web page, PDF and PowerPoint are drawn from this one record, so that no two of them say different things.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from app.shared.language import _
from app.shared.numbers import NONE, THIN

_T = TypeVar("_T")
MOST_BARS = 8
"""Of a picture: more cannot be read across a table."""
POLE, PALE = "--p", "--z"
"""Variables of the stylesheet: of what is asked about, and of what it is held against."""
LETTER_ROOM = 7.0
"""Per cent of a bar's length that a letter takes."""


@dataclass(frozen=True)
class Part:
    """A stretch of a bar, 0 to 100."""

    start: float
    width: float
    colour: str
    """Variable of the stylesheet."""
    letter: str = ""
    """Stands for the colour where it cannot be told."""
    ink: str = "--ink"
    """Of the letter."""
    title: str = ""

    @property
    def middle(self) -> float:
        """Where its letter stands."""
        return round(self.start + self.width / 2, 2)

    @property
    def lettered(self) -> bool:
        """It is long enough for its letter."""
        return bool(self.letter) and self.width >= LETTER_ROOM


@dataclass(frozen=True)
class Bar:
    """A row of a picture."""

    name: str
    parts: list[Part]
    value: str
    """Its number, in words."""
    span: tuple[float, float] | None = None
    """95 % interval, 0 to 100."""
    mark: float | None = None
    """The control or chance, 0 to 100."""
    quiet: bool = False
    """A control's own row."""


@dataclass(frozen=True)
class Picture:
    """Bars under a sentence that says what they show."""

    title: str
    bars: list[Bar]
    note: str
    """Unit, denominator and what the marks mean."""
    key: list[tuple[str, str, str, str]] = field(default_factory=list)
    """(colour, letter, ink, name) of the parts that occur."""


@dataclass(frozen=True)
class Slide:
    """What one shows."""

    headline: str
    sentence: str
    """What the headline is held against."""
    pictures: list[Picture]
    decided: list[str]
    limits: list[str]
    """What it does not show."""
    footer: str
    """Where the numbers come from."""


def scaled(value: float, least: float, most: float) -> float:
    """Where a value stands between two others, 0 to 100."""
    return round(100 * min(1.0, max(0.0, (value - least) / ((most - least) or 1.0))), 2)


def from_zero(value: float, least: float, most: float, colour: str, title: str = "") -> Part:
    """A bar from zero to a value, to either side."""
    ends = sorted((scaled(0.0, least, most), scaled(value, least, most)))
    return Part(ends[0], round(ends[1] - ends[0], 2), colour, title=title)


def spread(found: Sequence[_T], most: int = MOST_BARS) -> list[_T]:
    """At most so many, evenly spaced, the first and the last among them."""
    if len(found) <= most:
        return list(found)
    return [found[round(place * (len(found) - 1) / (most - 1))] for place in range(most)]


def bounds(values: Iterable[float]) -> tuple[float, float]:
    """The least and the greatest of some values and zero."""
    held = [0.0, *values]
    return min(held), max(held)


def share(value: float | None) -> str:
    """In per cent, two significant digits: what can be read across a table."""
    if value is None:
        return NONE
    per_cent = 100 * value
    if 99.5 <= per_cent < 100:
        return f"> 99{THIN}%"
    if 0 < per_cent < 0.01:
        return f"< 0.01{THIN}%"
    places = 0 if per_cent >= 9.95 or per_cent == 0 else 1 if per_cent >= 0.995 else 2
    return f"{per_cent:.{places}f}{THIN}%"


class Followers(Protocol):
    """How many follow a label, of those that it was held against."""

    @property
    def dense(self) -> int:
        """Dense latents or units that do."""

    @property
    def of_dense(self) -> int:
        """Of so many."""

    @property
    def controls(self) -> int:
        """Sparse ones that do."""

    @property
    def of_controls(self) -> int:
        """Of so many."""


def followed_picture(tested: Sequence[tuple[str, Followers]], what: str) -> Picture:
    """Of each label: share of dense latents or units that follow it, beside that of sparse ones.

    Those come first that stand out most from sparse ones.
    """
    shown = sorted(tested, key=lambda one: _sparse(one[1]) - one[1].dense / one[1].of_dense)[: MOST_BARS // 2]
    bars = []
    for name, of in shown:
        dense = of.dense / of.of_dense
        bars.append(Bar(name, [Part(0, round(100 * dense, 2), POLE)], share(dense)))
        if of.of_controls:
            value = _sparse(of)
            bars.append(Bar(_("sparse"), [Part(0, round(100 * value, 2), PALE)], share(value), quiet=True))
    left = (
        _(" %(shown)s of %(tested)s labels: those where they stand out most.", shown=len(shown), tested=len(tested))
        if len(tested) > len(shown)
        else ""
    )
    note = _(
        "Share of dense %(what)s that follow the label; below it the share of sparse %(what2)s, the control.%(left)s",
        what=what,
        what2=what,
        left=left,
    )
    return Picture(_("Do they follow the labels more than sparse ones do?"), bars, note)


def _sparse(of: Followers) -> float:
    return of.controls / of.of_controls if of.of_controls else 0.0


@dataclass(frozen=True)
class Reported:
    """What each form of a report holds."""

    slide: Slide
    """The answer for a meeting."""
    measured: list[tuple[str, str]]
    """How it was measured: name, value."""
    hashes: list[tuple[str, str]]
    """What the names stand for: name, SHA-256."""
    missing: list[tuple[str, str]]
    """What was not measured, and the command that would; the command may be empty."""
