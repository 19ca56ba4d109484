"""Latents: one with all that is known of it, or many by filter, sort and keyset page."""

from __future__ import annotations

import base64
import json
import math
from dataclasses import dataclass, fields, replace
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, cast, or_, select
from sqlalchemy import String as Text
from sqlalchemy.orm import Session

from app.errors import BadFilter, NotFound
from store.tables import Analysis, Latent, Sae

SORTS = ("density", "antipodality", "max", "mean", "mass_share", "cos_bias", "index")
DETAILS = ("dense", "partner", "control", "asked")
MAX_LIMIT, DEFAULT_LIMIT = 200, 50
_INDEX_LIMIT = 2**31


@dataclass(frozen=True)
class Filters:
    """What the browse page and the API can ask for; None means "any". Bounds are inclusive."""

    sae: str | None = None  # slug
    layer: int | None = None
    dense: bool | None = None
    borderline: bool | None = None
    pair: bool | None = None
    duplicate: bool | None = None
    detail: str | None = None  # one of DETAILS
    min_density: float | None = None
    max_density: float | None = None
    min_antipodality: float | None = None
    max_antipodality: float | None = None
    q: str | None = None  # part of one of the top tokens
    sort: str = "density"
    order: str = "desc"
    cursor: str | None = None
    limit: int = DEFAULT_LIMIT


@dataclass(frozen=True)
class LatentFacts:
    """One latent in one analysis; None where a value could not be computed, with its reason in `reasons`."""

    sae: str
    layer: int
    analysis_id: int
    index: int
    density: float
    density_low: float | None
    density_high: float | None
    is_dense: bool
    borderline: bool
    detail: str | None
    mean: float | None
    std: float | None
    skewness: float | None
    max: float | None
    mass_share: float | None
    antipodality: float | None
    cos_enc: float | None
    cos_dec: float | None
    partner: int | None
    mutual: bool
    is_pair: bool
    duplicate_of: int | None
    cos_bias: float | None
    decoder_norm: float | None
    quantiles: dict[str, float] | None
    spark: list[int]
    top_tokens: list[str]
    reasons: dict[str, str]


@dataclass(frozen=True)
class LatentPage:
    """One page of a list; `next` is the cursor of the following one, None on the last."""

    items: list[LatentFacts]
    next: str | None


def find_latent(session: Session, analysis_id: int, index: int) -> LatentFacts:
    """One latent.

    Raises:
        NotFound: the SAE has no such latent.
    """
    if not 0 <= index < _INDEX_LIMIT:
        raise NotFound(f"There is no latent {index}: indices start at 0.")
    row = session.execute(_all().where(Latent.analysis_id == analysis_id, Latent.index == index)).first()
    if row is None:
        raise NotFound(f"There is no latent {index} in this SAE.")
    return _facts(*row)


def neighbours(session: Session, analysis_id: int, latent: LatentFacts) -> tuple[int | None, int | None]:
    """(previous, next) index by falling density, the order of the browse page."""
    before = or_(
        Latent.density > latent.density, and_(Latent.density == latent.density, Latent.index < latent.index)
    )
    after = or_(Latent.density < latent.density, and_(Latent.density == latent.density, Latent.index > latent.index))
    mine = select(Latent.index).where(Latent.analysis_id == analysis_id).limit(1)
    return (
        session.scalar(mine.where(before).order_by(Latent.density.asc(), Latent.index.desc())),
        session.scalar(mine.where(after).order_by(Latent.density.desc(), Latent.index.asc())),
    )


def dense_points(session: Session, run_id: int, limit: int = 4000) -> list[LatentFacts]:
    """The densest latents of a run, for the scatter of density against antipodality."""
    query = _all().where(Analysis.run_id == run_id, Latent.density >= 0.01)
    return [_facts(*row) for row in session.execute(query.order_by(Latent.density.desc()).limit(limit)).all()]


def list_latents(session: Session, run_id: int, filters: Filters) -> LatentPage:
    """One page.

    Raises:
        BadFilter: an unknown sort or detail, a bound that is no number, a cursor of another list.
    """
    _check(filters)
    query = _all().where(Analysis.run_id == run_id, *_conditions(filters))
    column = _sort_column(filters)
    down = filters.order == "desc"
    place = (Latent.analysis_id, Latent.index)
    if filters.cursor:
        query = query.where(_after(column, down, *_read_cursor(filters)))
    if column is not None:
        # values that are missing are left out of a list sorted by them: they have no place in it
        query = query.where(column.is_not(None)).order_by(column.desc() if down else column.asc())
        query = query.order_by(*place)
    else:
        query = query.order_by(*[part.desc() if down else part.asc() for part in place])
    found = [_facts(*row) for row in session.execute(query.limit(filters.limit + 1)).all()]
    items = found[: filters.limit]
    return LatentPage(items, _make_cursor(filters, items[-1]) if len(found) > filters.limit else None)


def _all() -> Select[Any]:
    return (
        select(Latent, Sae.slug, Sae.layer)
        .join(Analysis, Analysis.id == Latent.analysis_id)
        .join(Sae, Sae.id == Analysis.sae_id)
    )


def _facts(row: Latent, slug: str, layer: int) -> LatentFacts:
    own = {field.name: getattr(row, field.name) for field in fields(LatentFacts) if field.name not in ("sae", "layer")}
    return LatentFacts(sae=slug, layer=layer, **own)


def _check(filters: Filters) -> None:
    if filters.sort not in SORTS:
        raise BadFilter(f"unknown sort '{filters.sort[:80]}'; choose one of {', '.join(SORTS)}")
    if filters.order not in ("asc", "desc"):
        raise BadFilter(f"unknown order '{filters.order[:80]}'; choose asc or desc")
    if filters.detail is not None and filters.detail not in DETAILS:
        raise BadFilter(f"unknown detail '{filters.detail[:80]}'; choose one of {', '.join(DETAILS)}")
    if not 1 <= filters.limit <= MAX_LIMIT:
        raise BadFilter(f"limit {filters.limit}: expected 1 to {MAX_LIMIT}")
    for name in ("min_density", "max_density", "min_antipodality", "max_antipodality"):
        value = getattr(filters, name)
        if value is not None and not math.isfinite(value):
            raise BadFilter(f"{name} '{value}': expected a number")


def _conditions(filters: Filters) -> list[ColumnElement[bool]]:
    same = [
        (Sae.slug, filters.sae),
        (Sae.layer, filters.layer),
        (Latent.is_dense, filters.dense),
        (Latent.borderline, filters.borderline),
        (Latent.is_pair, filters.pair),
        (Latent.detail, filters.detail),
    ]
    conditions: list[ColumnElement[bool]] = [column == value for column, value in same if value is not None]
    if filters.duplicate is not None:
        conditions.append(Latent.duplicate_of.is_not(None) if filters.duplicate else Latent.duplicate_of.is_(None))
    for column, low, high in (
        (Latent.density, filters.min_density, filters.max_density),
        (Latent.antipodality, filters.min_antipodality, filters.max_antipodality),
    ):
        conditions += [column >= low] if low is not None else []
        conditions += [column <= high] if high is not None else []
    if filters.q:
        # JSON escapes what is not ASCII, so the needle is escaped the same way
        needle = json.dumps(filters.q)[1:-1]
        conditions.append(cast(Latent.top_tokens, Text).contains(needle, autoescape=True))
    return conditions


def _sort_column(filters: Filters) -> Any:
    return None if filters.sort == "index" else getattr(Latent, filters.sort)


def _after(column: Any, down: bool, value: float | None, analysis_id: int, index: int) -> ColumnElement[bool]:
    same, beyond = Latent.analysis_id == analysis_id, Latent.index > index
    if column is None:
        if down:
            return or_(Latent.analysis_id < analysis_id, and_(same, Latent.index < index))
        return or_(Latent.analysis_id > analysis_id, and_(same, beyond))
    further = column < value if down else column > value
    return or_(further, and_(column == value, or_(Latent.analysis_id > analysis_id, and_(same, beyond))))


def _list_name(filters: Filters) -> str:
    return f"{filters.sort} {filters.order}"


def _make_cursor(filters: Filters, last: LatentFacts) -> str:
    value = None if filters.sort == "index" else getattr(last, filters.sort)
    body = json.dumps([_list_name(filters), value, last.analysis_id, last.index])
    return base64.urlsafe_b64encode(body.encode()).decode().rstrip("=")


def _read_cursor(filters: Filters) -> tuple[float | None, int, int]:
    cursor = filters.cursor or ""
    try:
        name, value, analysis_id, index = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        value = None if filters.sort == "index" else float(value)
        analysis_id, index = int(analysis_id), int(index)
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        raise BadFilter("cursor: expected one that this list gave out") from error
    sound = name == _list_name(filters) and abs(analysis_id) < _INDEX_LIMIT and abs(index) < _INDEX_LIMIT
    if not sound or (value is not None and not math.isfinite(value)):
        raise BadFilter("cursor: expected one that this list gave out, with the same sort and order")
    return value, analysis_id, index


def first_page(filters: Filters) -> Filters:
    """The same list from its start."""
    return replace(filters, cursor=None)
