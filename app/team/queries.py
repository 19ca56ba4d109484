"""What people said of a run's dense latents, held against what the machine says: counted, and what is left to do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from typing import Any, Literal, NamedTuple

from sqlalchemy import ColumnElement, and_, case, func, literal, or_, select
from sqlalchemy.orm import Session, aliased

from app.classes import queries as classes
from app.classes.views import CLASSES
from app.interventions.queries import own_value
from app.runs.queries import RunInfo
from app.saes.queries import SaeInfo
from app.shared.memory import remembered
from app.shared.record import Key, finite
from store.tables import DENSE, Analysis, Annotation, Latent, Sae, Score, Verdict
from store.tables.team import ALONE
from store.vocabulary import HOLDS, NO, UNEXPLAINED

AGREES, DIFFERS, OPEN = "agrees", "differs", "open"
"""A person named a class: the machine finds it too, does not, or did not measure it. Else empty."""
MAX_AUTHORS = 100
Queue = Literal["differs", "unseen"]


@dataclass(frozen=True)
class Progress:
    """Dense latents of one SAE."""

    dense: int
    said: int
    """Somebody says something of them."""
    category: int
    verdict: int
    differs: int
    """A person and the machine say different things of them."""


@dataclass(frozen=True)
class Cell:
    """Dense latents with the same machine group (see app.classes.groups) and the same human category."""

    group: str
    category: str | None
    state: str
    """AGREES, DIFFERS or OPEN where the category is a class, else empty."""
    count: int


@dataclass(frozen=True)
class AuthorInfo:
    """Somebody who wrote about the run's SAEs."""

    name: str
    versions: int
    """Versions they saved, of latents and pairs."""
    latents: int
    """Dense latents of which they had the last word."""


@dataclass(frozen=True)
class Queued:
    """A dense latent that somebody should look at."""

    analysis_id: int
    index: int
    slug: str
    layer: int
    density: float
    group: str
    category: str | None
    state: str
    human: str | None
    rule: str | None
    effect: float | None
    """Change of the loss without it, nats per token; None where it was not ablated."""


class Machine(NamedTuple):
    """What a run says of a dense latent."""

    density: float
    group: str
    """See app.classes.groups."""
    rule: str | None
    effect: float | None


@dataclass(frozen=True)
class Measured:
    """A run's dense latents: the same for all pages until a worker commits, whatever people write meanwhile."""

    latents: dict[Key, Machine]
    """In the order of the queue: unexplained ones first, then by the size of their effect where it was measured, then
    by density."""
    counts: Counter[tuple[int, str, str | None]]
    """Of each analysis, by group and the rule's verdict."""


class Said(NamedTuple):
    """What people say of a dense latent."""

    category: str | None
    human: str | None
    author: str
    state: str
    machine: Machine

    @property
    def differs(self) -> bool:
        """What the machine did not measure, or the rule did not judge, cannot differ."""
        rule = self.machine.rule
        return self.state == DIFFERS or bool(self.human and rule and self.human != rule)


@dataclass(frozen=True)
class Review:
    """A run's dense latents, and what people say of some of them."""

    measured: Measured
    said: dict[Key, Said]

    def silent(self) -> Counter[tuple[int, str, str | None]]:
        """As `Measured.counts`: those of which nobody says anything."""
        return self.measured.counts - Counter(
            (key[0], one.machine.group, one.machine.rule) for key, one in self.said.items()
        )


def review(session: Session, run: RunInfo) -> Review:
    """What there is to say of a run's dense latents. What people wrote is read each time, and nothing else."""
    measured = remembered(session, ("reviewed", run.analyses), lambda: _measured(session, run))
    return Review(measured, _said(session, run, measured))


def progress(found: Review) -> dict[int, Progress]:
    """By analysis; SAEs without dense latents are left out."""
    dense = Counter[int]()
    for (analysis_id, *_), number in found.measured.counts.items():
        dense[analysis_id] += number
    by_analysis: dict[int, list[Said]] = {}
    for key, one in found.said.items():
        by_analysis.setdefault(key[0], []).append(one)
    return {own: _progress(number, by_analysis.get(own, [])) for own, number in dense.items()}


def _progress(dense: int, said: list[Said]) -> Progress:
    return Progress(
        dense=dense,
        said=len(said),
        category=sum(one.category is not None for one in said),
        verdict=sum(one.human is not None for one in said),
        differs=sum(one.differs for one in said),
    )


def cells(found: Review) -> list[Cell]:
    """Machine class against human category; every dense latent is in one cell."""
    counted = Counter((one.machine.group, one.category, one.state) for one in found.said.values())
    for (_analysis, group, _rule), number in found.silent().items():
        counted[group, None, ""] += number
    return [Cell(*of, number) for of, number in counted.items()]


def verdict_cells(found: Review) -> dict[tuple[str | None, str | None], int]:
    """Dense latents by the rule's verdict and people's; None where there is none."""
    counted = Counter((one.machine.rule, one.human) for one in found.said.values())
    for (_analysis, _group, rule), number in found.silent().items():
        counted[rule, None] += number
    return dict(counted)


def authors(session: Session, run: RunInfo, found: Review) -> list[AuthorInfo]:
    """Those who wrote most first, MAX_AUTHORS at most."""
    last = Counter(one.author for one in found.said.values())
    versions = func.count()
    statement = (
        select(Annotation.author, versions)
        .where(Annotation.sae_sha256.in_(_weights(run)))
        .group_by(Annotation.author)
        .order_by(versions.desc(), Annotation.author)
        .limit(MAX_AUTHORS)
    )
    return [AuthorInfo(name, number, last[name]) for name, number in session.execute(statement)]


def annotated_counts(session: Session, run: RunInfo) -> tuple[int, int]:
    """Latents and pairs of the run's SAEs of which somebody says something, dense or not."""
    pair = case((Annotation.other != ALONE, 1), else_=0)
    statement = select(func.count(), func.sum(pair)).where(
        Annotation.latest, Annotation.sae_sha256.in_(_weights(run)), something()
    )
    every, pairs = session.execute(statement).one()
    return every - int(pairs or 0), int(pairs or 0)


def queue(saes: Iterable[SaeInfo], found: Review, kind: Queue, limit: int) -> list[Queued]:
    """Latents to look at, in the order of the run's.

    Args:
        kind: those of which people and the machine say different things, or those of which nobody says anything.
    """
    of, said = {sae.analysis_id: sae for sae in saes}, found.said
    wanted = (
        key
        for key in found.measured.latents
        if (kind == "unseen" if key not in said else kind == "differs" and said[key].differs)
    )
    return [_queued(key, found, of[key[0]]) for key in islice(wanted, limit)]


def something() -> ColumnElement[bool]:
    """A condition on annotations: what was said was not taken back."""
    return or_(Annotation.category.is_not(None), Annotation.verdict.is_not(None), Annotation.note != "")


def _measured(session: Session, run: RunInfo) -> Measured:
    groups = classes.groups_of(session, run)
    ruled = and_(Verdict.analysis_id == Latent.analysis_id, Verdict.index == Latent.index)
    statement = (
        select(Latent.analysis_id, Latent.index, Latent.density, Verdict.verdict, own_value("loss"))
        .join(Analysis, Analysis.id == Latent.analysis_id)
        .outerjoin(Verdict, ruled)
        .where(Analysis.id.in_(run.analyses), DENSE)
    )
    rows = [
        ((analysis_id, index), Machine(density, groups[analysis_id, index], rule, finite(effect)))
        for analysis_id, index, density, rule, effect in session.execute(statement)
    ]
    latents = dict(sorted(rows, key=_first))
    return Measured(latents, Counter((key[0], one.group, one.rule) for key, one in latents.items()))


def _first(row: tuple[Key, Machine]) -> tuple[Any, ...]:
    key, one = row
    return one.group != UNEXPLAINED, one.effect is None, -abs(one.effect or 0), -one.density, key


def _said(session: Session, run: RunInfo, measured: Measured) -> dict[Key, Said]:
    named = aliased(Score)
    given = (named.analysis_id == Analysis.id, named.index == Annotation.index, named.name == Annotation.category)
    statement = (
        select(Analysis.id, Annotation.index, Annotation.category, Annotation.verdict, Annotation.author, _state(named))
        .join(Sae, Sae.sha256 == Annotation.sae_sha256)
        .join(Analysis, Analysis.sae_id == Sae.id)
        .outerjoin(named, and_(*given))
        .where(Analysis.id.in_(run.analyses), Annotation.latest, Annotation.other == ALONE, something())
    )
    latents = measured.latents
    return {
        (analysis_id, index): Said(category, verdict, author, state, latents[analysis_id, index])
        for analysis_id, index, category, verdict, author, state in session.execute(statement)
        if (analysis_id, index) in latents
    }


def _state(named: Any) -> Any:
    return case(
        (or_(Annotation.category.is_(None), Annotation.category.not_in(CLASSES)), literal("")),
        (named.label.in_(HOLDS), literal(AGREES)),
        (named.label == NO, literal(DIFFERS)),
        else_=literal(OPEN),
    )


def _weights(run: RunInfo) -> Any:
    return select(Sae.sha256).join(Analysis, Analysis.sae_id == Sae.id).where(Analysis.id.in_(run.analyses))


def _queued(key: Key, found: Review, sae: SaeInfo) -> Queued:
    machine, said = found.measured.latents[key], found.said.get(key)
    return Queued(
        analysis_id=key[0],
        index=key[1],
        slug=sae.slug,
        layer=sae.layer,
        density=machine.density,
        group=machine.group,
        category=said and said.category,
        state=said.state if said else "",
        human=said and said.human,
        rule=machine.rule,
        effect=machine.effect,
    )
