"""Stretches of text with a latent's activation on each token."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from store.arrays import unpack
from store.tables import Example

ORDER = ("top", "level4", "level3", "level2", "level1", "random", "off")


@dataclass(frozen=True)
class Excerpt:
    """One example; `activations` and `partner` are aligned with `tokens`."""

    kind: str
    document: str
    labels: dict[str, Any]
    position: int
    """Character of the document at which the example's context begins."""
    focus: int
    tokens: list[str]
    activations: list[float]
    partner: list[float] | None


def find_examples(session: Session, analysis_id: int, index: int, kinds: tuple[str, ...] = ORDER) -> list[Excerpt]:
    """By kind in reading order (strongest first), then by rank."""
    statement = (
        select(Example)
        .where(Example.analysis_id == analysis_id, Example.index == index, Example.kind.in_(kinds))
        .order_by(Example.rank)
    )
    rows = sorted(session.scalars(statement), key=lambda row: ORDER.index(row.kind))
    return [_excerpt(row) for row in rows]


def _excerpt(row: Example) -> Excerpt:
    partner = unpack(row.partner_activations) if row.partner_activations else None
    return Excerpt(
        row.kind, row.document, row.labels, row.context_start, row.focus, row.tokens, unpack(row.activations), partner
    )
