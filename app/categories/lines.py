"""Categories as their page shows them, with the forms that change them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from urllib.parse import quote

from app.categories.queries import CategoryInfo
from app.categories.use import Use
from app.categories.write import CategoryDraft
from app.shared.links import link


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


def category_line(category: CategoryInfo, use: Use, known: bool, pin: str, refused: Refused | None) -> CategoryLine:
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
    latents = f"{rest:,} latent{'' if rest == 1 else 's'} not in this run" if rest else ""
    pairs = f"{use.pairs:,} pair{'' if use.pairs == 1 else 's'}" if use.pairs else ""
    return " and ".join(part for part in (latents, pairs) if part)
