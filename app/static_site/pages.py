"""Pages that a site makes itself, since the server's ask the database: the list, the search, and what people say."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.orm import Session

from app.annotations.panel import Told, told
from app.categories.queries import CategoryInfo, list_categories
from app.classes import queries as classes
from app.classes.groups import class_choices
from app.classes.score import ScoreInfo
from app.labels.queries import label_names
from app.latents.filters import LatentFilters
from app.latents.queries import LatentInfo, find_densest
from app.report.queries import latest_said
from app.saes.queries import SaeInfo
from app.shared.language import _
from app.shared.page import RunPage
from app.shared.record import Key
from app.static_site.plan import Plan
from app.vocabulary import NONE, RULE_VERDICTS

WITHOUT_SCRIPT = 2_000
"""Rows of the list that stand in its file, for readers without JavaScript."""
SAID = 2_000
"""Annotations a site shows."""
_BATCH = 500


@dataclass(frozen=True)
class SiteBrowsePage(RunPage):
    """All dense latents as a table; a script filters and sorts it, and shows the others."""

    template = "static_site/browse.html"
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
class SiteSearchPage(RunPage):
    """Search without a server."""

    template = "static_site/search.html"
    latents: int
    """Latents that are searched."""


@dataclass(frozen=True)
class SiteAnnotationsPage(RunPage):
    """What people say, to be read."""

    template = "static_site/annotations.html"
    spoken: list[Told]
    """Newest first."""
    more: bool
    """There are more than are shown."""


def browse_page(session: Session, plan: Plan, total: int, left_out: int) -> SiteBrowsePage:
    """The list with its dense latents."""
    dense = find_densest(session, plan.saes, LatentFilters(dense=True), WITHOUT_SCRIPT)
    keys = [(one.analysis_id, one.index) for one in dense]
    held: dict[Key, list[ScoreInfo]] = {}
    for start in range(0, len(keys), _BATCH):
        held |= classes.classes_of(session, keys[start : start + _BATCH])
    return SiteBrowsePage(
        title=_("Latents"),
        nav="latents",
        run=plan.run,
        saes=plan.saes,
        latents=dense,
        classes=held,
        class_choices=class_choices(session),
        verdict_choices=[("", _("any or none")), *RULE_VERDICTS.items(), (NONE, _("no verdict"))],
        labels=label_names(session, plan.run),
        categories=[one for one in list_categories(session) if not one.archived],
        total=total,
        left_out=left_out,
    )


def search_page(plan: Plan) -> SiteSearchPage:
    """The search."""
    return SiteSearchPage("Search", "search", plan.run, sum(map(len, plan.latents.values())))


def annotations_page(session: Session, plan: Plan) -> SiteAnnotationsPage:
    """What people say of the site's SAEs."""
    said = latest_said(session, plan.run, SAID + 1)
    spoken = told(said[:SAID], plan.saes, list_categories(session))
    return SiteAnnotationsPage("Annotations", "annotations", plan.run, spoken, more=len(said) > SAID)
