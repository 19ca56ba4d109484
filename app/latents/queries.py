"""Latents: one, its neighbours, and pages of many by filters, sort and cursor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, exists, func, or_, select, true
from sqlalchemy.orm import Session

from app.annotations.queries import has_category, has_human_verdict, is_annotated, of_latent
from app.classes.queries import has_class, has_one
from app.http.errors import NotFound
from app.interventions.effects import own_value
from app.labels.queries import goes_with
from app.runs.queries import RunInfo
from app.saes.queries import SaeInfo
from app.shared.cursor import Cursor
from app.verdicts.queries import has_verdict
from store.tables import Analysis, Annotation, Latent, Sae

SORTS: dict[str, Any] = {
    "density": Latent.density,
    "antipodality": Latent.antipodality,
    "max": Latent.max,
    "mean": Latent.mean,
    "mass_share": Latent.mass_share,
    "loss": own_value("loss"),
    "kl": own_value("kl"),
    "index": Latent.index,
    "layer": Sae.layer,
}
Rows = Select[Latent, str, int, Any]


@dataclass(frozen=True)
class Filters:
    """What to show; None does not filter."""

    sae: str | None = None
    """Slug of one SAE."""
    layer: int | None = None
    dense: bool | None = None
    min_density: float | None = None
    max_density: float | None = None
    min_antipodality: float | None = None
    max_antipodality: float | None = None
    pair: bool | None = None
    """Antipodal pair, or not."""
    duplicate: bool | None = None
    """Near-duplicate of another latent, or not."""
    borderline: bool | None = None
    detail: str | None = None
    """One of DETAILS, "any" (examples were kept) or "none"."""
    of_class: str | None = None
    """A class it has; "any": one of the six; "unmeasured": none was measured."""
    alone: bool | None = None
    """It has exactly one of the six classes, or several."""
    label: str | None = None
    """Name of a label of the user's that it goes with."""
    verdict: str | None = None
    """What the rule says of it; "none": nothing."""
    q: str | None = None
    """Part of a top token, without regard to case."""
    category: str | None = None
    """What people gave it; "any": one at all; "none": none."""
    human: str | None = None
    """The verdict of a person; "any": one at all; "none": none."""
    annotated: bool | None = None
    """Somebody said something of it, or nobody did."""
    note: str | None = None
    """Part of what people wrote of it, without regard to case."""


@dataclass(frozen=True)
class Order:
    """A sort and its direction."""

    sort: str
    descending: bool


@dataclass(frozen=True)
class LatentInfo:
    """One latent in one run. A NULL has its reason in `reasons`."""

    analysis_id: int
    slug: str
    layer: int
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
    quantiles: dict[str, Any] | None
    spark: list[Any]
    top_tokens: list[Any]
    reasons: dict[str, Any]

    @property
    def scale(self) -> float:
        """Activation that gets the full colour: the 99 % quantile, since a few massive tokens would hide the rest."""
        high = (self.quantiles or {}).get("0.99") or self.max or 0.0
        return abs(float(high))


@dataclass(frozen=True)
class LatentPage:
    """Some latents, and where the next ones begin."""

    items: list[LatentInfo]
    next: Cursor | None
    total: int


def find_latent(session: Session, sae: SaeInfo, index: int) -> LatentInfo:
    """One latent.

    Raises:
        NotFound: the SAE has fewer latents.
    """
    row = session.get(Latent, (sae.analysis_id, index))
    if row is None:
        raise NotFound(
            f"SAE '{sae.slug}' has no latent {index}: it has {sae.n_latents}, from 0 to {sae.n_latents - 1}."
        )
    return latent_info(row, sae.slug, sae.layer)


def find_some(session: Session, sae: SaeInfo, indices: list[int]) -> dict[int, LatentInfo]:
    """Several latents of one SAE, by index; absent ones are left out."""
    if not indices:
        return {}
    rows = session.scalars(select(Latent).where(Latent.analysis_id == sae.analysis_id, Latent.index.in_(indices)))
    return {row.index: latent_info(row, sae.slug, sae.layer) for row in rows}


def widths(session: Session, slugs: set[str]) -> dict[str, tuple[str, int]]:
    """By slug of the SAEs that there are: the SHA-256 of the weights, and how many latents it has."""
    statement = select(Sae.slug, Sae.sha256, Sae.n_latents).where(Sae.slug.in_(slugs))
    return {slug: (sha256, number) for slug, sha256, number in session.execute(statement)}


def duplicates(session: Session, latent: LatentInfo, limit: int = 20) -> list[int]:
    """Latents whose nearest duplicate this one is, and its own."""
    statement = (
        select(Latent.index)
        .where(Latent.analysis_id == latent.analysis_id, Latent.duplicate_of == latent.index)
        .order_by(Latent.density.desc(), Latent.index)
        .limit(limit)
    )
    found = list(session.scalars(statement))
    own = [] if latent.duplicate_of is None else [latent.duplicate_of]
    return own + [index for index in found if index not in own]


def list_latents(
    session: Session,
    run: RunInfo,
    filters: Filters,
    order: Order,
    cursor: Cursor | None,
    limit: int,
    *,
    counted: bool = True,
) -> LatentPage:
    """A page of latents of a run. Latents without the sorted value come last.

    Args:
        counted: say how many there are in all; it reads them all.
    """
    where = _conditions(session, run, filters)
    statement = (
        select(Latent, Sae.slug, Sae.layer, SORTS[order.sort])
        .join(Analysis, Analysis.id == Latent.analysis_id)
        .join(Sae, Sae.id == Analysis.sae_id)
        .where(where)
    )
    rows = session.execute(_from(statement, order, cursor).limit(limit + 1)).all()
    items = [latent_info(row, slug, layer) for row, slug, layer, _value in rows[:limit]]
    after = _after(rows[limit - 1], order) if len(rows) > limit else None
    return LatentPage(items, after, _total(session, where) if counted else len(items))


def _total(session: Session, where: ColumnElement[bool]) -> int:
    statement = select(func.count()).select_from(Latent).join(Analysis, Analysis.id == Latent.analysis_id)
    return session.scalar(statement.join(Sae, Sae.id == Analysis.sae_id).where(where)) or 0


def _from(statement: Rows, order: Order, cursor: Cursor | None) -> Rows:
    """Keyset paging: page 1,000 costs what page 1 does, and rows added in between shift nothing."""
    value = SORTS[order.sort]
    direction = value.desc() if order.descending else value.asc()
    statement = statement.order_by(value.is_(None), direction, Latent.analysis_id, Latent.index)
    return statement if cursor is None else statement.where(_beyond(value, order, cursor))


def _beyond(value: Any, order: Order, cursor: Cursor) -> ColumnElement[bool]:
    later = or_(
        Latent.analysis_id > cursor.analysis_id,
        and_(Latent.analysis_id == cursor.analysis_id, Latent.index > cursor.index),
    )
    if cursor.value is None:
        return and_(value.is_(None), later)
    further = value < cursor.value if order.descending else value > cursor.value
    return or_(further, and_(value == cursor.value, later), value.is_(None))


def _after(last: Any, order: Order) -> Cursor:
    latent, _slug, _layer, value = last
    return Cursor(order.sort, order.descending, value, latent.analysis_id, latent.index)


def _conditions(session: Session, run: RunInfo, filters: Filters) -> ColumnElement[bool]:
    parts: list[ColumnElement[bool]] = [Analysis.run_id == run.id]
    equal = ((Sae.slug, filters.sae), (Sae.layer, filters.layer), (Latent.is_dense, filters.dense))
    parts += [column == value for column, value in equal if value is not None]
    flags = ((Latent.is_pair, filters.pair), (Latent.borderline, filters.borderline))
    parts += [column == value for column, value in flags if value is not None]
    if filters.duplicate is not None:
        parts.append(Latent.duplicate_of.is_not(None) if filters.duplicate else Latent.duplicate_of.is_(None))
    parts += _bounds(Latent.density, filters.min_density, filters.max_density)
    parts += _bounds(Latent.antipodality, filters.min_antipodality, filters.max_antipodality)
    parts += _functions(run, filters) + _people(filters)
    return and_(*parts, _detail(filters.detail), _token(session, filters.q))


def _functions(run: RunInfo, filters: Filters) -> list[ColumnElement[bool]]:
    parts = [] if filters.of_class is None else [has_class(filters.of_class)]
    parts += [] if filters.alone is None else [has_one(filters.alone)]
    parts += [] if filters.verdict is None else [has_verdict(filters.verdict)]
    return parts if filters.label is None else [*parts, goes_with(run, filters.label)]


def _people(filters: Filters) -> list[ColumnElement[bool]]:
    parts = [] if filters.category is None else [has_category(filters.category)]
    parts += [] if filters.human is None else [has_human_verdict(filters.human)]
    parts += [] if filters.annotated is None else [is_annotated(filters.annotated)]
    return parts if filters.note is None else [*parts, _note(filters.note)]


def _note(part: str) -> ColumnElement[bool]:
    said = select(1).select_from(Annotation).where(of_latent(), Annotation.note.icontains(part, autoescape=True))
    return exists(said).correlate(Latent, Sae)


def _bounds(column: Any, low: float | None, high: float | None) -> list[ColumnElement[bool]]:
    lower = [] if low is None else [column >= low]
    return lower if high is None else [*lower, column <= high]


def _detail(wanted: str | None) -> ColumnElement[bool]:
    if wanted is None:
        return true()
    if wanted in {"any", "none"}:
        return Latent.detail.is_not(None) if wanted == "any" else Latent.detail.is_(None)
    return Latent.detail == wanted


def _token(session: Session, part: str | None) -> ColumnElement[bool]:
    """Each token is searched by itself, so no match can span two of them or hit JSON's own signs."""
    if not part:
        return true()
    postgres = session.get_bind().dialect.name == "postgresql"
    each = func.json_array_elements_text if postgres else func.json_each
    tokens = each(Latent.top_tokens).table_valued("value")
    return select(1).select_from(tokens).where(tokens.c.value.icontains(part, autoescape=True)).exists()


def latent_info(row: Latent, slug: str, layer: int) -> LatentInfo:
    """A row as pages get it."""
    own = {name: getattr(row, name) for name in LatentInfo.__dataclass_fields__ if name not in {"slug", "layer"}}
    return LatentInfo(slug=slug, layer=layer, **own)
