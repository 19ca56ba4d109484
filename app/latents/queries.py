"""Latents: one, its neighbours, and a page of many."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import Field, computed_field
from sqlalchemy import and_, bindparam, select, tuple_
from sqlalchemy.orm import Session, aliased, joinedload
from sqlalchemy.orm.attributes import set_committed_value

from app.annotations.queries import AnnotationInfo, of_latent
from app.http.errors import NotFound
from app.interventions.queries import effect_info, is_own
from app.latents import listing
from app.latents.columns import Mirror, Order, Shown
from app.latents.filters import LatentFilters
from app.latents.listing import Plan, Total
from app.runs.queries import RunInfo
from app.saes.queries import SaeInfo
from app.shared.commands import Place
from app.shared.cursor import Cursor
from app.shared.language import _
from app.shared.memory import remembered
from app.shared.record import Hidden, Key, Record, columns, read
from app.verdicts.queries import VerdictInfo, verdict_info
from store.arrays import unpack
from store.tables import DENSE, Analysis, Annotation, Chain, Effect, Example, Intervention, Latent, Sae, Verdict
from store.vocabulary import ABLATE, RANDOM_ON, TOP, level_of

LatentInfo = Latent
"""One latent in one run, as its row. A NULL has its reason in `reasons`."""


@dataclass(frozen=True)
class LatentPage:
    """Which latents a page has, and where the next ones begin."""

    keys: list[Key]
    next: Cursor | None
    total: Total


def find_latent(session: Session, sae: SaeInfo, index: int) -> LatentInfo:
    """One latent.

    Raises:
        NotFound: the SAE has fewer latents.
    """
    found = find_some(session, sae, [index])
    if not found:
        raise missing(sae, index)
    return found[index]


def missing(sae: SaeInfo, index: int) -> NotFound:
    """That the SAE has fewer latents."""
    last = sae.n_latents - 1
    return NotFound(
        _(
            "SAE '%(slug)s' has no latent %(index)s: it has %(n_latents)s, from 0 to %(last)s.",
            slug=sae.slug,
            index=index,
            n_latents=sae.n_latents,
            last=last,
        )
    )


def find_some(session: Session, sae: SaeInfo, indices: list[int]) -> dict[int, LatentInfo]:
    """Several latents of one SAE, by index; absent ones are left out."""
    found = find_rows(session, [(sae.analysis_id, index) for index in indices])
    return {one.index: one for one in found}


def find_rows(session: Session, keys: Sequence[Key]) -> list[LatentInfo]:
    """Latents by their keys, in the order of these; absent ones are left out."""
    rows = session.scalars(_by_key(select(Latent), keys)) if keys else ()
    found = {(one.analysis_id, one.index): one for one in rows}
    return [found[key] for key in keys if key in found]


def placed(latent: Latent, sae: SaeInfo) -> LatentInfo:
    """A latent of a SAE that is known: its name and layer are not asked for again."""
    owner = Analysis(id=sae.analysis_id, run_id=sae.run)
    set_committed_value(owner, "sae", Sae(slug=sae.slug, layer=sae.layer))
    set_committed_value(latent, "analysis", owner)
    return latent


def find_shown(session: Session, latents: Iterable[Key]) -> list[Shown]:
    """Latents by their keys with what lists show beside them, in one query; in the order of the keys."""
    keys = list(latents)
    own = and_(Intervention.analysis_id == Latent.analysis_id, Intervention.kind == ABLATE)
    other = aliased(Latent)
    statement = (
        _by_key(select(Latent, Effect, Verdict, Annotation, other.index, other.density, other.spark), keys)
        .join(Analysis, Analysis.id == Latent.analysis_id)
        .join(Sae, Sae.id == Analysis.sae_id)
        .outerjoin(Intervention, own)
        .outerjoin(Effect, and_(Effect.intervention_id == Intervention.id, Effect.index == Latent.index, is_own()))
        .outerjoin(Verdict, and_(Verdict.analysis_id == Latent.analysis_id, Verdict.index == Latent.index))
        .outerjoin(Annotation, of_latent())
        .outerjoin(other, and_(Latent.is_pair, other.analysis_id == Latent.analysis_id, other.index == Latent.partner))
    )
    found = {(row[0].analysis_id, row[0].index): _shown(*row) for row in session.execute(statement)} if keys else {}
    return [found[key] for key in keys if key in found]


def _by_key(statement: Any, keys: Sequence[Key]) -> Any:
    owner = joinedload(Latent.analysis).load_only(Analysis.sae_id, Analysis.run_id).joinedload(Analysis.sae)
    statement = statement.options(owner.load_only(Sae.slug, Sae.layer))
    return statement.where(tuple_(Latent.analysis_id, Latent.index).in_(keys))


def _shown(
    latent: Latent, effect: Effect | None, verdict: Verdict | None, said: Annotation | None, *mirror: Any
) -> Shown:
    people = None if said is None else AnnotationInfo.model_validate(said)
    return Shown(
        latent,
        None if effect is None else effect_info(effect),
        None if verdict is None else _verdict(latent, verdict),
        None if people is None or people.empty else people,
        Mirror(*mirror) if latent.is_pair and mirror[0] is not None else None,
    )


def _verdict(latent: Latent, found: Verdict) -> VerdictInfo:
    place = Place(latent.slug, latent.layer, latent.analysis.run_id, latent.index)
    return verdict_info(found.verdict, found.grounds, found.missing, place)


def widths(session: Session, slugs: set[str]) -> dict[str, tuple[str, int]]:
    """By slug of the SAEs that there are: the SHA-256 of the weights, and how many latents it has."""
    statement = select(Sae.slug, Sae.sha256, Sae.n_latents).where(Sae.slug.in_(slugs))
    return {slug: (sha256, number) for slug, sha256, number in session.execute(statement)}


def duplicates(session: Session, latent: LatentInfo, limit: int = 20) -> list[int]:
    """Latents whose nearest duplicate this one is, and its own."""
    statement = (
        select(Latent.index)
        .where(Latent.analysis_id == latent.analysis_id, Latent.duplicate_of == latent.index)
        # so that the index of these few is read, not the whole SAE in the order of density
        .where(Latent.duplicate_of.is_not(None))
        .order_by((Latent.density + 0).desc(), Latent.index)
        .limit(limit)
    )
    found = list(session.scalars(statement))
    own = [] if latent.duplicate_of is None else [latent.duplicate_of]
    return own + [index for index in found if index not in own]


def list_latents(
    session: Session, saes: Iterable[SaeInfo], wanted: LatentFilters, by: Order, after: Cursor | None, limit: int
) -> LatentPage:
    """A page of the latents of these SAEs. Latents without the sorted value come last."""
    plan = listing.plan_of(session, saes, wanted)
    places = listing.page(session, plan, by, after, limit + 1)
    keys = [place.key for place in places[:limit]]
    if len(places) <= limit and after is None:
        return LatentPage(keys, None, Total(len(keys), more=False))
    more = listing.cursor_of(places[limit - 1], by) if len(places) > limit else None
    return LatentPage(keys, more, _total(session, plan, wanted))


def _total(session: Session, plan: Plan, wanted: LatentFilters) -> Total:
    """Kept until a worker commits, but for what people said."""
    if any(one is not None for one in (wanted.category, wanted.human, wanted.annotated, wanted.note)):
        return listing.total(session, plan)
    asked = wanted.model_dump_json(include=set(LatentFilters.model_fields))
    return remembered(session, ("total", *plan.ids, asked), lambda: listing.total(session, plan))


def find_densest(session: Session, saes: Iterable[SaeInfo], wanted: LatentFilters, limit: int) -> list[LatentInfo]:
    """The densest latents of these SAEs that pass."""
    plan = listing.plan_of(session, saes, wanted)
    found = listing.page(session, plan, Order("density", descending=True), None, limit)
    return find_rows(session, [place.key for place in found])


def by_strength(kind: str) -> float:
    """Where a kind of example stands in reading order: the strongest, levels from high to low, random, off."""
    level, count = level_of(kind)
    return 2 - level / count if level else {TOP: 0.0, RANDOM_ON: 3.0}.get(kind, 4.0)


class Excerpt(Record):
    """A stretch of text; activations are aligned with tokens."""

    kind: str
    """top; level4 to level1, or 10of10 to 1of10 of equal intervals; random; off"""
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
    )
    .order_by(Example.rank)
)
_OF_KINDS = _OF.where(Example.kind.in_(bindparam("kinds", expanding=True)))
_FIRST = _OF_KINDS.where(Example.rank == 0)


def find_examples(
    session: Session, analysis_id: int, indices: Sequence[int], kinds: Sequence[str] = ()
) -> dict[int, list[Excerpt]]:
    """Of some latents, of all kinds or some: by kind in reading order (strongest first), then by rank."""
    asked = {"analysis": analysis_id, "indices": list(indices)} | ({"kinds": list(kinds)} if kinds else {})
    rows = session.scalars(_OF_KINDS if kinds else _OF, asked)
    found: dict[int, list[Excerpt]] = {}
    for row in sorted(rows, key=lambda row: by_strength(row.kind)):
        found.setdefault(row.index, []).append(_excerpt(row))
    return found


def find_first(session: Session, analysis_id: int, indices: Sequence[int], kinds: Sequence[str]) -> list[Excerpt]:
    """The first of each of some kinds, of some latents: in the order of the kinds, then of the latents."""
    asked = {"analysis": analysis_id, "indices": list(indices), "kinds": list(kinds)}
    rows = list(session.scalars(_FIRST, asked)) if kinds else []
    rows.sort(key=lambda row: (kinds.index(row.kind), indices.index(row.index)))
    return [_excerpt(row) for row in rows]


def find_strongest(session: Session, keys: Sequence[Key]) -> dict[Key, Excerpt]:
    """The strongest example of each of some latents, of several SAEs; those without are left out."""
    own = tuple_(Example.analysis_id, Example.index).in_(keys)
    rows = session.scalars(select(Example).where(own, Example.kind == TOP, Example.rank == 0)) if keys else ()
    return {(row.analysis_id, row.index): _excerpt(row) for row in rows}


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


class ChainInfo(Record):
    """A latent's continuation in a neighbouring analysed layer."""

    side: str
    """next or previous"""
    analysis_id: int = Hidden
    slug: str = Field(serialization_alias="sae")
    layer: int
    index: int
    density: float = Hidden
    correlation: float
    """Of the two signals on the same tokens"""
    cosine: float | None
    """Of the two decoder directions; null where they cannot be compared"""

    @computed_field  # type: ignore[prop-decorator]  # mypy knows no such pair
    @property
    def url(self) -> str:
        """Its page."""
        return f"/saes/{self.slug}/latents/{self.index}"


@dataclass(frozen=True)
class Step:
    """A dense latent and its continuation in the next analysed layer."""

    analysis_id: int
    index: int
    other_analysis_id: int
    other: int
    correlation: float


def find_chains(session: Session, analysis_id: int, index: int) -> dict[str, ChainInfo]:
    """By side; a side without a continuation is left out."""
    other: Any = {"analysis_id": Chain.other_analysis_id, "index": Chain.other}
    statement = (
        select(*columns(ChainInfo, Chain, Sae, Latent, **other))
        .join(Analysis, Analysis.id == Chain.other_analysis_id)
        .join(Sae, Sae.id == Analysis.sae_id)
        .join(Latent, and_(Latent.analysis_id == Chain.other_analysis_id, Latent.index == Chain.other))
        .where(Chain.analysis_id == analysis_id, Chain.index == index)
    )
    return {step.side: step for step in read(session, ChainInfo, statement)}


def list_steps(session: Session, run: RunInfo) -> list[Step]:
    """Steps of all dense latents to the next layer. A chain leads to an SAE, of which another analysis may be shown."""
    return remembered(session, ("steps", run.analyses), lambda: _list_steps(session, run))


def _list_steps(session: Session, run: RunInfo) -> list[Step]:
    other = aliased(Analysis)
    statement = (
        select(Chain.analysis_id, Chain.index, other.sae_id, Chain.other, Chain.correlation)
        .join(Latent, and_(Latent.analysis_id == Chain.analysis_id, Latent.index == Chain.index))
        .join(Analysis, Analysis.id == Chain.analysis_id)
        .join(Sae, Sae.id == Analysis.sae_id)
        .join(other, other.id == Chain.other_analysis_id)
        .where(Analysis.id.in_(run.analyses), DENSE, Chain.side == "next")
        .order_by(Sae.layer, Sae.slug, Chain.index)
    )
    shown = dict(session.execute(select(Analysis.sae_id, Analysis.id).where(Analysis.id.in_(run.analyses))).all())
    rows = session.execute(statement)
    return [Step(own, index, shown[sae], at, how) for own, index, sae, at, how in rows if sae in shown]
