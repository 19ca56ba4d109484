"""What every page has, and the pages that show nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from app.methods.queries import Term


@dataclass(frozen=True)
class Page:
    """What every page has."""

    template: ClassVar[str]

    title: str
    """Title of the browser's tab, without the product's name."""
    nav: str
    """Which entry of the navigation this page belongs to."""
    terms: dict[str, Term]
    """Statistics by name: tooltips and headings take their words from here."""
    pin: str
    """Query string that keeps a pinned run in links: "run=3", or empty."""


@dataclass(frozen=True)
class EmptyPage(Page):
    """A store without a complete run."""

    template = "home/empty.html"


@dataclass(frozen=True)
class ErrorPage(Page):
    """Something is not there, or was asked for wrongly."""

    template = "error.html"
    status: int
    """HTTP status."""
    phrase: str
    """Its name."""
    detail: str
    """What was wrong and what there is instead."""
