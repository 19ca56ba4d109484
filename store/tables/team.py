"""What people write: annotations with all their versions, categories of their own, saved views.

Nothing here points at an analysis: an annotation belongs to the SAE's weights (SHA-256) and the latent's
index, so it outlives a re-analysis, and may arrive before one.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from store.tables.base import Base

ALONE = -1
"""`Annotation.other` where it is about one latent. A NULL could be in no unique key."""


class Annotation(Base):
    """One version of what is said about a latent or a pair. Versions are only ever added."""

    __tablename__ = "annotation"
    id: Mapped[int] = mapped_column(primary_key=True)
    sae_sha256: Mapped[str] = mapped_column(String(64))
    index: Mapped[int]  # of a pair the smaller one
    other: Mapped[int]  # of a pair the larger index, else ALONE
    version: Mapped[int]  # 1, 2, ... of this latent or pair
    latest: Mapped[bool]
    category: Mapped[str | None] = mapped_column(String(60))  # a class's name, or the key of a Category
    verdict: Mapped[str | None] = mapped_column(String(12))  # keep, investigate, prune
    note: Mapped[str] = mapped_column(Text)
    author: Mapped[str] = mapped_column(String(80))
    created: Mapped[datetime]  # UTC
    restores: Mapped[int | None]  # the version whose content an undo brought back
    __table_args__ = (
        UniqueConstraint("sae_sha256", "index", "other", "version"),
        Index(
            "ix_annotation_latest",
            *("sae_sha256", "index", "other"),
            unique=True,  # two that are both the latest cannot be stored, whatever a writer does
            sqlite_where=text("latest = 1"),
            postgresql_where=text("latest"),
        ),
    )


class Category(Base):
    """A category of the team's own. It is never deleted, since annotations name it: it is put away."""

    __tablename__ = "category"
    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(String(60), unique=True)  # what annotations hold; never changes
    title: Mapped[str] = mapped_column(String(60))
    colour: Mapped[str] = mapped_column(String(12))  # a name of the palette
    description: Mapped[str] = mapped_column(Text)
    archived: Mapped[bool]  # offered no more
    author: Mapped[str] = mapped_column(String(80))  # who changed it last
    changed: Mapped[datetime]  # UTC


class SavedView(Base):
    """An address of this server under a name."""

    __tablename__ = "saved_view"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(80), unique=True)
    address: Mapped[str] = mapped_column(Text)  # path and query
    author: Mapped[str] = mapped_column(String(80))
    created: Mapped[datetime]  # UTC
