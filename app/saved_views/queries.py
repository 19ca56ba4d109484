"""Saved views: addresses of this server under names that people gave."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote

from sqlalchemy import select
from sqlalchemy.orm import Session

from store.tables import SavedView


@dataclass(frozen=True)
class ViewInfo:
    """One saved view."""

    id: int
    name: str
    address: str
    """Path and query on this server."""
    author: str
    created: datetime

    @property
    def href(self) -> str:
        """The link by its name, which leads to the address."""
        return f"/views/{quote(self.name, safe='')}"


def list_views(session: Session) -> list[ViewInfo]:
    """All, newest first."""
    return [_info(row) for row in session.scalars(select(SavedView).order_by(SavedView.id.desc()))]


def find_view(session: Session, name: str) -> ViewInfo | None:
    """By its name; None where none has it."""
    if "\0" in name:  # PostgreSQL refuses to be asked for it
        return None
    row = session.scalar(select(SavedView).where(SavedView.name == name))
    return None if row is None else _info(row)


def _info(row: SavedView) -> ViewInfo:
    when = row.created.replace(tzinfo=UTC)  # SQLite keeps no zone
    return ViewInfo(row.id, row.name, row.address, row.author, when)
