"""The categories page: the machine's classes, the team's own with their uses, and the forms that change them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from urllib.parse import quote

from sqlalchemy.orm import Session

from app.categories import queries as categories
from app.categories.queries import COLOURS, CategoryInfo, Use
from app.categories.write import MAX_DESCRIPTION, MAX_TITLE, CategoryDraft
from app.runs import queries as runs
from app.shared.language import _, ngettext
from app.shared.links import Pin, link
from app.shared.page import Page

NEW = ""
"""Stands for the key where a category is being made."""


@dataclass(frozen=True)
class Refused:
    """What a form holds, and why it was refused, if it was."""

    draft: CategoryDraft | None
    """None: what is there now."""
    problem: str = ""
    """Why the draft was refused; empty where it was not."""
    stale: bool = False
    """Somebody changed the category after the form was opened."""


@dataclass(frozen=True)
class CategoryLine:
    """One category."""

    category: CategoryInfo
    anchor: str
    """Id of its element."""
    use: Use
    href: str
    """The latents of the shown run that have it; empty where there is no run."""
    elsewhere: str
    """What else has it, in words; empty where nothing has."""
    form: Refused
    """What the form to change it holds."""


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


def categories_page(session: Session, pinned: Pin, refused: Mapping[str, Refused] | None = None) -> CategoriesPage:
    """The page.

    Args:
        pinned: whose latents are counted.
        refused: by key (NEW: of a new one), forms that were not saved.
    """
    shown, forms, pin = runs.find_run(session, pinned), refused or {}, pinned.query
    used = categories.uses(session, shown)
    found = sorted(categories.list_categories(session), key=lambda one: one.archived)
    lines = [_category_line(one, used.get(one.key, Use()), shown is not None, pin, forms.get(one.key)) for one in found]
    blank = CategoryDraft(colour=_fresh(lines))
    making = forms.get(NEW) or Refused(blank)
    return CategoriesPage(
        title=_("Categories"),
        nav="annotations",
        machine=_of(lines, own=False),
        own=_of(lines, own=True),
        colours=COLOURS,
        making=replace(making, draft=making.draft or blank),  # putting away without a key leads here, and holds none
        longest_title=MAX_TITLE,
        longest_description=MAX_DESCRIPTION,
    )


def _category_line(category: CategoryInfo, use: Use, known: bool, pin: str, refused: Refused | None) -> CategoryLine:
    """A line.

    Args:
        known: the store has a complete run, whose latents can be listed.
        refused: what came of a change of this category that was not saved.
    """
    now, form = CategoryDraft(category.title, category.colour, category.description), refused or Refused(None)
    return CategoryLine(
        category,
        anchor(category.key),
        use,
        link("/latents", {"category": category.key, "dense": "any"}, pin) if known else "",
        _elsewhere(use),
        replace(form, draft=form.draft or now),
    )


def anchor(key: str) -> str:
    """Where a category stands on the page; keys of an import may hold what no fragment can."""
    return f"category-{quote(key, safe='')}"


def _elsewhere(use: Use) -> str:
    rest = use.latents - use.shown
    latents = ngettext("%(n)s latent not in this run", "%(n)s latents not in this run", rest) if rest else ""
    pairs = ngettext("%(n)s pair", "%(n)s pairs", use.pairs) if use.pairs else ""
    return _("%(first)s and %(second)s", first=latents, second=pairs) if latents and pairs else latents or pairs


def _of(lines: list[CategoryLine], *, own: bool) -> list[CategoryLine]:
    return [line for line in lines if line.category.own is own]


def _fresh(lines: list[CategoryLine]) -> str:
    """The colour that the fewest of the team's categories have."""
    taken = [line.category.colour for line in lines if not line.category.archived]
    return min(COLOURS, key=taken.count)
