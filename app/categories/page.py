"""The categories page: the machine's classes, the team's own with their uses, and the forms that change them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from sqlalchemy.orm import Session

from app.categories import queries as categories
from app.categories import use as category_use
from app.categories.lines import CategoryLine, Refused, category_line
from app.categories.queries import COLOURS
from app.categories.use import Use
from app.categories.write import MAX_DESCRIPTION, MAX_TITLE, CategoryDraft
from app.runs import queries as runs
from app.shared.links import pin_of
from app.shared.page import Page

NEW = ""
"""Stands for the key where a category is being made."""


@dataclass(frozen=True)
class CategoriesPage(Page):
    """The machine's classes and the team's categories, with the forms that change these."""

    template = "categories/categories.html"
    machine: list[CategoryLine]
    """The classes."""
    own: list[CategoryLine]
    """The team's, those put away last."""
    colours: dict[str, str]
    """The palette: name -> as people read it."""
    making: Refused
    """What the form for a new one holds, and why it was refused, if it was."""
    longest_title: int
    """Characters."""
    longest_description: int
    """Characters."""


def categories_page(session: Session, run: int | None, refused: Mapping[str, Refused] | None = None) -> CategoriesPage:
    """The page.

    Args:
        run: whose latents are counted; without it the newest's.
        refused: by key (NEW: of a new one), forms that were not saved.
    """
    shown, forms, pin = runs.find_run(session, run), refused or {}, pin_of(run)
    used = category_use.uses(session, shown)
    found = sorted(categories.list_categories(session), key=lambda one: one.archived)
    lines = [category_line(one, used.get(one.key, Use()), shown is not None, pin, forms.get(one.key)) for one in found]
    blank = CategoryDraft(colour=_fresh(lines))
    making = forms.get(NEW) or Refused(blank)
    return CategoriesPage(
        title="Categories",
        nav="annotations",
        machine=_of(lines, own=False),
        own=_of(lines, own=True),
        colours=COLOURS,
        making=replace(making, draft=making.draft or blank),  # putting away without a key leads here, and holds none
        longest_title=MAX_TITLE,
        longest_description=MAX_DESCRIPTION,
    )


def _of(lines: list[CategoryLine], *, own: bool) -> list[CategoryLine]:
    return [line for line in lines if line.category.own is own]


def _fresh(lines: list[CategoryLine]) -> str:
    """The colour that the fewest of the team's categories have."""
    taken = [line.category.colour for line in lines if not line.category.archived]
    return min(COLOURS, key=taken.count)
