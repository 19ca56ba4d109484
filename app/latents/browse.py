"""What people said of the rows of a list, and what can be said and asked there."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy.orm import Session

from app.annotations.panel import category_of
from app.annotations.queries import AnnotationInfo, annotations_of
from app.categories.queries import CategoryInfo, list_categories
from app.classes.queries import Key, ScoreInfo
from app.interventions.effects import EffectInfo
from app.latents.queries import Filters, LatentInfo, Order
from app.runs.queries import RunInfo
from app.saes.queries import SaeInfo
from app.saved_views.queries import ViewInfo
from app.shared.page import Page
from app.verdicts.queries import VerdictInfo
from app.vocabulary import ANY, HUMAN_VERDICTS, NONE


@dataclass(frozen=True)
class BrowsePage(Page):
    """Latents of a run by filter and sort."""

    template = "latents/browse.html"
    run: RunInfo
    """The run shown."""
    saes: list[SaeInfo]
    """Choices of the SAE filter."""
    filters: Filters
    """What is filtered."""
    order: Order
    """How it is sorted."""
    columns: dict[str, Column]
    """Sortable heads by name."""
    latents: list[LatentInfo]
    """This page's rows."""
    classes: dict[Key, list[ScoreInfo]]
    """By (analysis, index): the classes it has."""
    ablated: set[int]
    """Analyses of the run whose latents were taken out."""
    effects: dict[Key, EffectInfo]
    """By (analysis, index): what breaks without it."""
    verdicts: dict[Key, VerdictInfo]
    """By (analysis, index): the verdict by rule."""
    verdict_choices: list[tuple[str, str]]
    """Choices of the verdict filter: value and words."""
    labels: list[str]
    """Choices of the label filter."""
    class_choices: list[tuple[str, str]]
    """Choices of the class filter: value and words."""
    total: int
    """Latents that pass the filters."""
    next: str
    """Address of the next page; empty on the last."""
    first: str
    """Address of the first page; empty on it."""
    back: str
    """Address of this very page of the list."""
    view: str
    """Address of the list from its first row on: what is saved as a view."""
    among_all: str
    """Address of the same filters among all latents, dense or not."""
    people: People
    """What people said of the rows, and what can be said."""
    changed: int | None
    """Of how many latents something was just said; None where nothing was."""
    saved: list[ViewInfo]
    """Saved views, newest first."""
    export: str
    """Address of the whole list as JSON, which `prune` takes; empty where it is of several SAEs, or too long."""
    densest: float
    """Density of the full bar."""


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


LONGEST = 400
"""Characters of a note that a tooltip shows."""


@dataclass(frozen=True)
class RowSaid:
    """What people say of one latent, as short as a row needs it."""

    category: CategoryInfo | None
    verdict_key: str
    verdict: str
    """As people read it; empty where none was given."""
    note: str
    """Its beginning; empty where there is none."""
    author: str


@dataclass(frozen=True)
class People:
    """What people say in a list of latents."""

    said: dict[Key, RowSaid]
    """By (analysis, index); those of which nothing is said are left out."""
    categories: list[CategoryInfo]
    """All, the machine's first."""
    asked: CategoryInfo | None
    """The category that is filtered by, where it is one."""
    verdicts: list[tuple[str, str]]
    """Key and words."""
    filtered: bool
    """Whether what people say is filtered by."""


def people_of(session: Session, keys: Iterable[Key], filters: Filters) -> People:
    """Two queries, however many rows."""
    known = list_categories(session)
    found = annotations_of(session, keys)
    asked = None if filters.category in {None, ANY, NONE} else category_of(filters.category, known)
    set_ones = (filters.category, filters.human, filters.annotated, filters.note)
    return People(
        said={key: _said(one, known) for key, one in found.items()},
        categories=known,
        asked=asked,
        verdicts=list(HUMAN_VERDICTS.items()),
        filtered=any(one is not None for one in set_ones),
    )


def _said(one: AnnotationInfo, known: list[CategoryInfo]) -> RowSaid:
    return RowSaid(
        category=category_of(one.category, known),
        verdict_key=one.verdict or "",
        verdict=HUMAN_VERDICTS.get(one.verdict or "", one.verdict or ""),
        note=one.note if len(one.note) <= LONGEST else f"{one.note[:LONGEST]}…",
        author=one.author,
    )
