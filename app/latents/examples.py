"""Stretches of text with a latent's activation on each token."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from app.shared.record import Record
from store.arrays import unpack
from store.tables import Example

ORDER = ("top", "level4", "level3", "level2", "level1", "random", "off")


class Excerpt(Record):
    """A stretch of text; activations are aligned with tokens."""

    kind: str
    """top, level4 to level1, random, off"""
    document: str
    labels: dict[str, Any]
    position: int
    """Character of the document at which the context begins"""
    focus: int
    """Which token the example is about"""
    tokens: list[str]
    """Joined, the text; an empty one ends the character that the token before it began"""
    activations: list[float]
    partner: list[float] | None


_OF = (
    select(Example)
    .where(
        Example.analysis_id == bindparam("analysis"),
        Example.index.in_(bindparam("indices", expanding=True)),
        Example.kind.in_(bindparam("kinds", expanding=True)),
    )
    .order_by(Example.rank)
)


def find_many(
    session: Session, analysis_id: int, indices: Sequence[int], kinds: Sequence[str] = ORDER
) -> dict[int, list[Excerpt]]:
    """Of some latents: by kind in reading order (strongest first), then by rank."""
    rows = session.scalars(_OF, {"analysis": analysis_id, "indices": list(indices), "kinds": list(kinds)})
    found: dict[int, list[Excerpt]] = {}
    for row in sorted(rows, key=lambda row: ORDER.index(row.kind)):
        found.setdefault(row.index, []).append(_excerpt(row))
    return found


def _excerpt(row: Example) -> Excerpt:
    return Excerpt(
        kind=row.kind,
        document=row.document,
        labels=row.labels,
        position=row.context_start,
        focus=row.focus,
        tokens=row.tokens,
        activations=unpack(row.activations),
        partner=unpack(row.partner_activations) if row.partner_activations else None,
    )
