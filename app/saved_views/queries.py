"""Saved views: addresses of this server under names that people gave."""

from __future__ import annotations

from urllib.parse import quote

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.shared.record import Moment, Record
from store.tables import SavedView


class ViewInfo(Record):
    """One saved view."""

    id: int
    name: str
    address: str
    """Path and query on this server"""
    author: str
    created: Moment

    @property
    def href(self) -> str:
        """The link by its name, which leads to the address."""
        return f"/views/{quote(self.name, safe='')}"


def list_views(session: Session) -> list[ViewInfo]:
    """All, newest first."""
    return [ViewInfo.model_validate(row) for row in session.scalars(select(SavedView).order_by(SavedView.id.desc()))]


def find_view(session: Session, name: str) -> ViewInfo | None:
    """By its name; None where none has it."""
    if "\0" in name:  # PostgreSQL refuses to be asked for it
        return None
    row = session.scalar(select(SavedView).where(SavedView.name == name))
    return None if row is None else ViewInfo.model_validate(row)
