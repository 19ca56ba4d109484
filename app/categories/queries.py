"""Categories that people may give: the machine's classes, and the team's own."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.classes.queries import CLASSES
from app.shared.memory import remembered
from store.tables import Category

COLOURS = {
    "slate": "slate",
    "teal": "teal",
    "olive": "olive",
    "plum": "plum",
    "rust": "rust",
    "sky": "sky",
    "moss": "moss",
    "rose": "rose",
}
"""The palette: name in the store and of the style -> as people read it."""


@dataclass(frozen=True)
class CategoryInfo:
    """One category."""

    key: str
    title: str
    colour: str
    """Of the palette; empty for a class of the machine."""
    description: str
    own: bool
    """The team's, not the machine's."""
    archived: bool
    author: str
    changed: datetime | None

    @property
    def stamp(self) -> str:
        """Names this state of it: what a form says it has seen."""
        return f"{self.changed:%Y-%m-%dT%H:%M:%S.%f}" if self.changed else ""


def list_categories(session: Session) -> list[CategoryInfo]:
    """The machine's classes, then the team's own by title, those put away too."""
    stamp = session.info.get("categories")
    return _list(session) if stamp is None else remembered(session, ("categories", stamp), lambda: _list(session))


def _list(session: Session) -> list[CategoryInfo]:
    rows = session.scalars(select(Category).order_by(Category.title, Category.id))
    return [_of_machine(key) for key in CLASSES] + [info(row) for row in rows]


def category_titles(found: list[CategoryInfo]) -> dict[str, CategoryInfo]:
    """By key."""
    return {one.key: one for one in found}


def _of_machine(key: str) -> CategoryInfo:
    return CategoryInfo(key, CLASSES[key], "", "", False, False, "", None)


def info(row: Category) -> CategoryInfo:
    """A row as pages get it."""
    when = row.changed.replace(tzinfo=UTC)
    return CategoryInfo(row.key, row.title, row.colour, row.description, True, row.archived, row.author, when)
