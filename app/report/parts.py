"""Parts of the printable report."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from app.annotations.panel import NotePart
from app.classes.groups import fill_of
from app.shared.figures import CARD

HATCHES = {"/": "rising", "-": "level", "x": "crossed", ".": "dotted"}
"""Patterns of the report's template, as plotly draws them."""


@dataclass(frozen=True)
class Segment:
    """A stretch of a bar: dense latents of one group (see app.classes.groups)."""

    group: str
    title: str
    count: int
    start: float
    """0 to 100: the SAE with most dense latents fills the bar."""
    width: float

    @property
    def fill(self) -> str:
        """Of its rectangle: a variable of the stylesheet, or a hatching of the page."""
        held = fill_of(self.group)
        return f"url(#hatch-{HATCHES[held.hatch]})" if held.hatch else f"var({held.colour})"

    @property
    def plain(self) -> bool:
        """Paper with an outline."""
        return fill_of(self.group).colour == CARD


@dataclass(frozen=True)
class LayerLine:
    """One SAE."""

    layer: int
    slug: str
    href: str
    dense: str
    borderline: str
    bar: list[Segment]
    explained: str
    """Share of its dense latents that have a class; empty where none was measured."""
    pairs: str
    mass: str
    """Share of firing mass in dense latents."""
    l0: str
    fvu: str
    loss: str
    """Change of the loss without all dense latents at once; empty where that was not measured."""
    beside: str
    """Their share of the variance, and the same change for a control: sparse latents, or the set turned at random."""


@dataclass(frozen=True)
class Matter:
    """A latent or a pair to talk about."""

    why: str
    about: str
    """As people write it: L15/1024."""
    href: str
    density: str
    words: str


@dataclass(frozen=True)
class Ruled:
    """Verdicts on dense latents, by the rule and by people."""

    heads: list[str]
    """Verdicts as people read them."""
    rule: list[str]
    """Dense latents with each by rule."""
    people: list[str]
    """Latents with each by a person."""
    total: str
    words: str
    """How far people and rule, and people and classes, agree."""


@dataclass(frozen=True)
class Opinion:
    """A note."""

    about: str
    href: str
    author: str
    created: datetime
    verdict: str
    verdict_key: str
    category: str
    note: list[NotePart]


@dataclass(frozen=True)
class ExperimentWords:
    """An experiment in a line."""

    number: int
    href: str
    sae: str
    words: str
