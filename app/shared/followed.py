"""What latents follow, drawn: shares of variance as the segments of a bar."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from app.shared.language import N_, Words, translated
from app.shared.numbers import percent

LONGEST = 256
"""Tokens: a state that lasts longer cannot be told from one that does so."""


@dataclass(frozen=True)
class FollowedSource:
    """How much of the variance one source predicts in documents that were not fitted: value, low, high."""

    name: str
    """word, previous, position, shape, norm, past, context, document."""
    added: list[float | None]
    """To the sources before it, in this order; below 0: it predicts nothing."""
    alone: list[float | None]


@dataclass(frozen=True)
class OrderedShare:
    """What some sources add, averaged over all orders in which the groups may be added (Shapley)."""

    sources: list[str]
    share: float | None


@dataclass(frozen=True)
class Follows:
    """What a latent's activation follows, as shares of its variance."""

    sources: list[FollowedSource]
    total: list[float | None]
    """Of all together: value, low, high."""
    orders: list[OrderedShare]
    alike: list[list[str]]
    """Pairs of sources that cannot be told apart: each says much, and either nothing beyond the other."""
    half_life: float | None
    """Tokens after which half is left of what word, place and norm do not explain; at most 256."""
    tokens: int
    documents: int

    @property
    def added(self) -> dict[str, float | None]:
        """By source."""
        return {one.name: one.added[0] for one in self.sources}


class Part(NamedTuple):
    """Sources that are drawn as one."""

    key: str
    title: str
    short: str
    sources: tuple[str, ...]


SOURCES = Words(
    {
        "word": N_("the word itself"),
        "previous": N_("the two words before"),
        "position": N_("position in the text"),
        "shape": N_("part of speech and spelling"),
        "norm": N_("norm of the residual vector"),
        "past": N_("its own past"),
        "context": N_("the rest of the context"),
        "document": N_("the document's other contexts"),
    }
)
"""As people read them."""
PARTS = (
    Part("word", N_("the word itself"), N_("word"), ("word",)),
    Part("before", N_("the two words before"), N_("before"), ("previous",)),
    Part("place", N_("position and part of speech"), N_("place"), ("position", "shape")),
    Part("norm", N_("norm"), N_("norm"), ("norm",)),
    Part("state", N_("its own past, context, document"), N_("past"), ("past", "context", "document")),
)


class Segment(NamedTuple):
    """A part of a bar of width 100."""

    key: str
    title: str
    x: float
    width: float
    share: str


Added = Mapping[str, float | None]
"""Share of variance that each source adds to those before it; below 0 it predicts nothing."""


def share_of(added: Added, part: Part) -> float:
    """Of one part, 0 at least."""
    return max(0.0, sum(added.get(name) or 0.0 for name in part.sources))


def segments(added: Added) -> list[Segment]:
    """From left to right; what is less than half a hundredth is left out."""
    found, x = [], 0.0
    for part in PARTS:
        share = share_of(added, part)
        width = round(100 * min(share, 1 - x / 100), 2)
        if width >= 0.5:
            found.append(Segment(part.key, translated(part.title), round(x, 2), width, percent(share)))
            x += width
    return found
