"""What can be searched of an analysis. The databases' own indexes over it are made by a migration (`store.search`)."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from store.tables.base import Base


class SearchText(Base):
    """The words of one latent's tokens, or of one context. What is shown of a hit comes from its own rows."""

    __tablename__ = "search_text"
    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(8))  # token, promoted, context
    analysis_id: Mapped[int] = mapped_column(ForeignKey("analysis.id", ondelete="CASCADE"))
    index: Mapped[int]  # of a context: a latent that has it among its examples
    words: Mapped[str] = mapped_column(Text)  # folded (see `store.words`), a space between two
    example: Mapped[str | None] = mapped_column(String(8))  # of a context: kind and rank of that latent's example
    rank: Mapped[int | None]
    others: Mapped[list[Any]]  # further latents that have the same context among their examples
    __table_args__ = (Index("ix_search_text_kind", "analysis_id", "kind"),)


class Token(Base):
    """A string that stands in `Latent.top_tokens` of some latent."""

    __tablename__ = "token"
    id: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str] = mapped_column(Text, unique=True)


class LatentToken(Base):
    """Which latents have a token among `Latent.top_tokens`: part of a token is looked for among some ten thousand
    strings, not in a million latents."""

    __tablename__ = "latent_token"
    analysis_id: Mapped[int] = mapped_column(ForeignKey("analysis.id", ondelete="CASCADE"), primary_key=True)
    token_id: Mapped[int] = mapped_column(ForeignKey("token.id"), primary_key=True)
    index: Mapped[int] = mapped_column(primary_key=True)
    __table_args__ = {"sqlite_with_rowid": False}
