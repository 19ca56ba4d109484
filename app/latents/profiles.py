"""Values with more than one number: histograms, series over position, token lists, a whole document."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.shared.record import finite
from store.arrays import unpack
from store.tables import Profile


@dataclass(frozen=True)
class Histogram:
    """`counts` of firing tokens between neighbouring `edges` of activation."""

    edges: list[float]
    counts: list[int]


@dataclass(frozen=True)
class TokenItem:
    """A token type and how it stands to a latent; which numbers are given depends on the list."""

    token: str
    id: int | None = None
    """Number in the vocabulary."""
    mean: float | None = None
    """Mean activation over all its occurrences."""
    count: int | None = None
    """Occurrences in the analysed text."""
    firing: int | None = None
    """Occurrences on which the latent fires."""
    share: float | None = None
    """Share of the latent's firing mass."""
    logit: float | None = None
    """Logit per unit of decoder direction."""


@dataclass(frozen=True)
class Series:
    """Mean activation by position, tokens from a boundary; None where a bin holds no token."""

    edges: list[int]
    mean: list[float | None]
    low: list[float | None]
    high: list[float | None]
    tokens: list[float | None]


@dataclass(frozen=True)
class Profiles:
    """All profiles of one latent; a missing one is None or empty, with its reason at the latent."""

    histogram: Histogram | None
    top_tokens: list[TokenItem]
    top_tokens_mass: list[TokenItem]
    promoted: list[TokenItem]
    suppressed: list[TokenItem]
    support: int | None
    """Occurrences a token type needs to be ranked by its mean."""
    types: int | None
    """Token types the latent fired on."""
    positions: dict[str, Series]
    strip: list[float] | None
    """Activation on each token of the run's one whole document."""


def find_profiles(session: Session, analysis_id: int, index: int) -> Profiles:
    """All of a latent."""
    return find_many(session, analysis_id, [index])[index]


def find_many(session: Session, analysis_id: int, indices: list[int]) -> dict[int, Profiles]:
    """All of some latents, in one query."""
    statement = select(Profile).where(Profile.analysis_id == analysis_id, Profile.index.in_(indices))
    rows: dict[int, dict[str, Profile]] = {index: {} for index in indices}
    for row in session.scalars(statement):
        rows[row.index][row.name] = row
    return {index: _profiles(own) for index, own in rows.items()}


def _profiles(rows: dict[str, Profile]) -> Profiles:
    top = rows["top_tokens"].data if "top_tokens" in rows else {}
    return Profiles(
        histogram=_histogram(rows.get("histogram")),
        top_tokens=_tokens(rows.get("top_tokens")),
        top_tokens_mass=_tokens(rows.get("top_tokens_mass")),
        promoted=_tokens(rows.get("promoted")),
        suppressed=_tokens(rows.get("suppressed")),
        support=top.get("support"),
        types=top.get("types"),
        positions={kind: made for kind in ("context", "paragraph", "sentence") if (made := _series(rows, kind))},
        strip=_strip(rows.get("strip")),
    )


def token_lists(
    session: Session, keys: Iterable[tuple[int, int]], names: tuple[str, ...]
) -> dict[tuple[int, int, str], list[TokenItem]]:
    """Token lists of many latents, by (analysis, index, name)."""
    found: dict[tuple[int, int, str], list[TokenItem]] = {}
    by_analysis: dict[int, list[int]] = {}
    for analysis_id, index in keys:
        by_analysis.setdefault(analysis_id, []).append(index)
    for analysis_id, indices in by_analysis.items():
        statement = select(Profile).where(
            Profile.analysis_id == analysis_id, Profile.index.in_(indices), Profile.name.in_(names)
        )
        for row in session.scalars(statement):
            found[analysis_id, row.index, row.name] = _tokens(row)
    return found


def _histogram(row: Profile | None) -> Histogram | None:
    if row is None or row.values is None:
        return None
    return Histogram(row.data["edges"], unpack(row.values))


def _tokens(row: Profile | None) -> list[TokenItem]:
    known = set(TokenItem.__dataclass_fields__)
    items: list[dict[str, Any]] = row.data.get("items", []) if row else []
    return [TokenItem(**{key: value for key, value in item.items() if key in known}) for item in items]


def _series(rows: dict[str, Profile], kind: str) -> Series | None:
    row = rows.get(f"position_{kind}")
    if row is None or row.values is None:
        return None
    mean, low, high, tokens = ([finite(value) for value in line] for line in unpack(row.values))
    return Series(row.data["edges"], mean, low, high, tokens) if any(v is not None for v in mean) else None


def _strip(row: Profile | None) -> list[float] | None:
    return [finite(value) or 0.0 for value in unpack(row.values)] if row and row.values else None
