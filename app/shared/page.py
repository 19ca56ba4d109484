"""What every page says for itself, and the pages that show nothing. The rest is given: see `rendering.Given`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from app.runs.queries import RunInfo


@dataclass(frozen=True)
class Page:
    """What every page says for itself."""

    template: ClassVar[str]

    title: str
    """Title of the browser's tab, without the product's name."""
    nav: str
    """Which entry of the navigation this page belongs to."""


@dataclass(frozen=True)
class RunPage(Page):
    """What a page of one run says for itself."""

    run: RunInfo
    """The run shown."""


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
    draft: list[tuple[str, str]] = field(default_factory=list)
    """Fields of the form that could not be saved, to be sent again to the same address."""
