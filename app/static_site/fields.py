"""Pages that a site makes itself, since the server's ask the database."""

from __future__ import annotations

from dataclasses import dataclass

from app.annotations.panel import NotePart
from app.annotations.queries import AnnotationInfo
from app.categories.queries import CategoryInfo
from app.classes.queries import Key, ScoreInfo
from app.latents.queries import LatentInfo
from app.runs.queries import RunInfo
from app.saes.queries import SaeInfo
from app.shared.page import Page


@dataclass(frozen=True)
class SiteBrowsePage(Page):
    """All dense latents as a table; a script filters and sorts it, and shows the others."""

    template = "site/browse.html"
    run: RunInfo
    """The run shown."""
    saes: list[SaeInfo]
    """SAEs of the site by layer."""
    latents: list[LatentInfo]
    """The densest dense latents."""
    classes: dict[Key, list[ScoreInfo]]
    """By (analysis, index): the classes they have."""
    class_choices: list[tuple[str, str]]
    """Choices of the class filter: value and words."""
    verdict_choices: list[tuple[str, str]]
    """Choices of the verdict filters: value and words."""
    labels: list[str]
    """Choices of the label filter."""
    categories: list[CategoryInfo]
    """Categories that people may give."""
    total: int
    """Rows of the list."""
    left_out: int
    """Latents that the list has no room for."""


@dataclass(frozen=True)
class SiteSearchPage(Page):
    """Search without a server."""

    template = "site/search.html"
    run: RunInfo
    """The run shown."""
    latents: int
    """Latents that are searched."""


@dataclass(frozen=True)
class Spoken:
    """What is said of a latent or a pair."""

    about: str
    """As people write it: L15/1024."""
    href: str
    said: AnnotationInfo
    note: list[NotePart]
    category: CategoryInfo | None
    verdict: str


@dataclass(frozen=True)
class SiteAnnotationsPage(Page):
    """What people say, to be read."""

    template = "site/annotations.html"
    run: RunInfo
    """The run shown."""
    spoken: list[Spoken]
    """Newest first."""
    more: bool
    """There are more than are shown."""
