"""What people said of the rows of a list, and what can be said and asked there."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy.orm import Session

from app.compose.annotation import HUMAN_VERDICTS, category_of
from app.queries.annotations import ANY, NONE, AnnotationInfo, annotations_of
from app.queries.categories import CategoryInfo, list_categories
from app.queries.classes import Key
from app.queries.latents import Filters

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
