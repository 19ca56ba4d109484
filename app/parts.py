"""Parts that several pages are made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from app.plots.base import Figure
from app.queries.profiles import TokenItem
from app.queries.search import Hit


@dataclass(frozen=True)
class View:
    """A plot among others one can switch between, with its text alternative."""

    name: str
    title: str
    figure: Figure
    summary: str
    """What the plot shows, in words and numbers."""
    head: tuple[str, ...]
    """Column heads of the table of its numbers."""
    rows: Sequence[tuple[str, ...]]
    """The numbers, as shown."""


@dataclass(frozen=True)
class TokenList:
    """Tokens with a bar each."""

    title: str
    term: str
    side: str
    """Colour of the bars: p, n, or z where it belongs to no pole."""
    items: list[TokenItem]
    values: list[float]
    """Bar lengths, 0 to 100."""
    labels: list[str]
    """Values as shown."""
    missing: str
    """Why the list is empty."""


@dataclass(frozen=True)
class ClassLine:
    """A class, and how many dense latents of each SAE have it."""

    name: str
    title: str
    cells: list[tuple[int, str]]
    """Count and address of the list of them, an SAE each."""
    total: int


@dataclass(frozen=True)
class Column:
    """A sortable table head."""

    name: str
    term: str
    """Name of the statistic, for its definition."""
    label: str
    href: str
    active: str
    """"ascending", "descending" or empty, as aria-sort wants it."""


@dataclass(frozen=True)
class Operation:
    """One call of the API."""

    path: str
    summary: str
    description: str
    parameters: list[dict[str, Any]]
    answer: str
    """Name of the answer's schema."""


@dataclass(frozen=True)
class FoundLine:
    """One hit of a search."""

    hit: Hit
    name: str
    """Of the latent or pair."""
    href: str
    """Its page."""
    others: list[tuple[str, str]]
    """Further latents with the same context, name and address."""
    unnamed: int
    """How many more there are."""


@dataclass(frozen=True)
class FoundGroup:
    """Hits of one kind."""

    kind: str
    title: str
    total: int
    lines: list[FoundLine]
    more: str
    """Address of all of them, where only the first are shown."""
    after: str
    """Address of those that follow."""
