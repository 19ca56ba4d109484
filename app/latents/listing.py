"""Lists of latents: which ones pass, in which order, how many, a page or a batch at a time.

A store may hold a million latents, so there are two ways to find those of a page. Where a filter names few latents (a
flag that few have, a class, what people said), these are *gathered* and sorted. Else the index of the sort is *walked*
from where the page begins until it is full, since most of what is met passes. What most latents are is counted as all
less the few that are not.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, and_, case, func, or_, select, tuple_, union
from sqlalchemy.orm import Session

from app.annotations.queries import with_annotation, with_category, with_human_verdict, with_note
from app.classes.groups import check_class
from app.classes.queries import with_class, with_one
from app.interventions.queries import with_effect
from app.labels.queries import with_label
from app.latents.columns import SORTS, Order
from app.latents.filters import LatentFilters
from app.saes.queries import SaeInfo
from app.shared.cursor import Cursor
from app.shared.record import Key
from app.verdicts.queries import with_verdict
from app.vocabulary import ANY, NONE
from store.tables import Latent, LatentToken, Token
from store.vocabulary import UNMEASURED

GATHERED, LOOKED_UP = 50_000, 5_000
"""Where bounds leave no more latents than this, they are gathered, too; where each one's effect must be looked up."""
RARE = 20_000
"""Tokens that fit stand no more often than this among all latents' top tokens: then these latents are few."""
COUNTED = 10_000
"""What is counted up to where a part of a token is in more latents than are few."""
Keys = Select[Any, Any]
"""Which latents: analysis and index."""
KEY = (Latent.analysis_id, Latent.index)
Opened = Callable[[], AbstractContextManager[Session]]


class Place(NamedTuple):
    """A latent's place in a list: its value of the sorted column, and its key."""

    value: float | None
    analysis_id: int
    latent: int

    @property
    def key(self) -> Key:
        """Analysis and index."""
        return self.analysis_id, self.latent


class Total(NamedTuple):
    """How many latents pass."""

    number: int
    more: bool
    """There are more than that: they were not counted to the end."""


class Bound(NamedTuple):
    """Between which values a column must lie."""

    name: str
    low: float | None
    high: float | None

    def holds(self, looked_up: bool = True) -> Iterator[ColumnElement[bool]]:
        """The conditions; where not `looked_up`, said so that no planner takes the column's index for them."""
        column = getattr(Latent, self.name)
        column = column if looked_up else column + 0
        if self.low is not None:
            yield column >= self.low
        if self.high is not None:
            yield column <= self.high


@dataclass(frozen=True)
class Plan:
    """What a latent must be to be in a list."""

    layers: dict[int, int]
    """The analyses it may be in, with their layers."""
    size: int
    """Latents of these."""
    flags: list[ColumnElement[bool]] = field(default_factory=list)
    """Each is true of few."""
    keys: list[Keys] = field(default_factory=list)
    """Each names few; it is one of them."""
    bounds: list[Bound] = field(default_factory=list)
    without_flags: list[ColumnElement[bool]] = field(default_factory=list)
    without_keys: list[Keys] = field(default_factory=list)
    token: ColumnElement[bool] | None = None
    """True of so many that they are not few."""

    @property
    def ids(self) -> list[int]:
        """The analyses."""
        return list(self.layers)

    @property
    def few(self) -> bool:
        """Whether it names few latents."""
        return bool(self.flags or self.keys)


def plan_of(session: Session, saes: Iterable[SaeInfo], wanted: LatentFilters) -> Plan:
    """What `wanted` says of the latents of these SAEs."""
    if wanted.of_class is not None:
        check_class(session, wanted.of_class)
    held = list(saes)
    layers = {one.analysis_id: one.layer for one in held}
    plan = Plan(layers, sum(one.n_latents for one in held), bounds=_bounds(wanted))
    for flag, yes in _flags(wanted):
        (plan.flags if yes else plan.without_flags).append(flag)
    for keys, yes in _named(wanted, list(layers)):
        (plan.keys if yes else plan.without_keys).append(keys)
    return _with_token(session, plan, wanted.q) if wanted.q else plan


def _bounds(wanted: LatentFilters) -> list[Bound]:
    bounds = (
        Bound("density", wanted.min_density, wanted.max_density),
        Bound("antipodality", wanted.min_antipodality, wanted.max_antipodality),
        Bound("word_share", wanted.min_word_share, None),
        Bound("past_share", wanted.min_past_share, None),
        Bound("followed", wanted.min_followed, wanted.max_followed),
    )
    return [bound for bound in bounds if bound.low is not None or bound.high is not None]


def _flags(wanted: LatentFilters) -> Iterator[tuple[ColumnElement[bool], bool]]:
    """What few latents are, as the index of these few says it, and whether it is wanted."""
    asked = ((Latent.is_dense, wanted.dense), (Latent.is_pair, wanted.pair), (Latent.borderline, wanted.borderline))
    yield from ((column.is_(True), yes) for column, yes in asked if yes is not None)
    if wanted.duplicate is not None:
        yield Latent.duplicate_of.is_not(None), wanted.duplicate
    if wanted.detail is not None:
        kept = Latent.detail.is_not(None)
        yield (
            kept if wanted.detail in {ANY, NONE} else and_(kept, Latent.detail == wanted.detail),
            (wanted.detail != NONE),
        )


def _named(wanted: LatentFilters, ids: Sequence[int]) -> Iterator[tuple[Keys, bool]]:
    """Those that a filter names, the fewest first, and whether they are wanted."""
    if wanted.note is not None:
        yield with_note(wanted.note, ids), True
    if wanted.category is not None:
        yield with_category(wanted.category, ids), wanted.category != NONE
    if wanted.human is not None:
        yield with_human_verdict(wanted.human, ids), wanted.human != NONE
    if wanted.annotated is not None:
        yield with_annotation(ids), wanted.annotated
    if wanted.label is not None:
        yield with_label(wanted.label, ids), True
    if wanted.of_class is not None:
        yield with_class(wanted.of_class, ids), wanted.of_class != UNMEASURED
    if wanted.alone is not None:
        yield with_one(wanted.alone, ids), True
    if wanted.verdict is not None:
        yield with_verdict(wanted.verdict, ids), wanted.verdict != NONE


def _with_token(session: Session, plan: Plan, part: str) -> Plan:
    fits = select(Token.id).where(Token.text.icontains(part, autoescape=True))
    places = select(LatentToken.analysis_id, LatentToken.index).where(
        LatentToken.analysis_id.in_(plan.ids), LatentToken.token_id.in_(fits)
    )
    found = session.scalar(select(func.count()).select_from(places.limit(RARE + 1).subquery())) or 0
    if found <= RARE:
        return replace(plan, keys=[*plan.keys, places])
    return replace(plan, token=_has_token(session, part))


def _has_token(session: Session, part: str) -> ColumnElement[bool]:
    """Each token is searched by itself, so no match can span two of them or hit JSON's own signs."""
    postgres = session.get_bind().dialect.name == "postgresql"
    each: Any = func.json_array_elements_text if postgres else func.json_each
    tokens = each(Latent.top_tokens).table_valued("value")
    return select(1).select_from(tokens).where(tokens.c.value.icontains(part, autoescape=True)).exists()


def passing(plan: Plan, *columns: Any) -> Select[Any]:
    """These columns of the latents that pass."""
    return select(*columns).where(*_owned(plan), *conditions(plan))


def _owned(plan: Plan) -> list[ColumnElement[bool]]:
    """Of these analyses. Density has an index within each SAE."""
    if plan.keys:
        return []
    within = not plan.flags and [bound.name for bound in plan.bounds] == ["density"]
    return [Latent.analysis_id.in_(plan.ids) if within else checked(plan)]


def checked(plan: Plan) -> ColumnElement[bool]:
    """The same, said so that no planner reads whole SAEs where it could look up something else: as a sum, and of
    analyses that follow each other, as those of a run do, between two, which is checked in half the time."""
    owner = Latent.analysis_id + 0
    low, high = min(plan.ids, default=0), max(plan.ids, default=0)
    return owner.between(low, high) if high - low == len(plan.ids) - 1 else owner.in_(plan.ids)


def conditions(plan: Plan, walked: str = "") -> list[ColumnElement[bool]]:
    """All but of which analyses; `walked` names the column whose index is walked."""
    key = tuple_(*KEY)
    made = [*plan.flags, *(~flag for flag in plan.without_flags)]
    made += [condition for bound in plan.bounds for condition in bound.holds(walked in {"", bound.name})]
    made += [key.in_(keys) for keys in plan.keys] + [key.not_in(keys) for keys in plan.without_keys]
    return made if plan.token is None else [*made, plan.token]


def total(session: Session, plan: Plan) -> Total:
    """How many latents pass."""
    if plan.token is not None and not plan.few:
        number = _count(session, passing(plan, *KEY).limit(COUNTED + 1))
        return Total(min(number, COUNTED), number > COUNTED)
    if plan.few:
        return Total(_count(session, passing(plan, *KEY)), False)
    bounded = replace(plan, without_flags=[], without_keys=[])
    number = _count(session, passing(bounded, *KEY)) if plan.bounds else plan.size
    return Total(number - _count_without(session, plan), False)


def _count(session: Session, statement: Any) -> int:
    return session.scalar(select(func.count()).select_from(statement.subquery())) or 0


def _count_without(session: Session, plan: Plan) -> int:
    """Latents within the bounds that pass for nothing but what they must not be."""
    excluded = _excluded(plan)
    return 0 if excluded is None else _count(session, passing(excluded, *KEY))


def _excluded(plan: Plan) -> Plan | None:
    """Those that a plan leaves out by name, within its bounds; None where it names none."""
    named = list(plan.without_keys)
    named += [select(*KEY).where(checked(plan), flag) for flag in plan.without_flags]
    if not named:
        return None
    return Plan(plan.layers, plan.size, keys=[select(union(*named).subquery())], bounds=plan.bounds)


def without_by_sae(session: Session, plan: Plan) -> dict[int, int]:
    """By analysis: how many of its latents a list of most latents leaves out by name."""
    excluded = _excluded(plan)
    if excluded is None:
        return {}
    # as a part of its own: else the planner reads whole SAEs to have them in groups
    found = passing(excluded, *KEY).cte().prefix_with("MATERIALIZED")
    rows = session.execute(select(found.c.analysis_id, func.count()).group_by(found.c.analysis_id))
    return {row[0]: row[1] for row in rows}


def page(session: Session, plan: Plan, by: Order, after: Cursor | None, limit: int) -> list[Place]:
    """The next places of the list. Latents without the sorted value come last."""
    if _is_gathered(session, plan, by):
        return _gather(session, plan, by, after, limit)
    return list(_walk(session, plan, by, after, limit))


def _is_gathered(session: Session, plan: Plan, by: Order) -> bool:
    if plan.few or not plan.bounds or plan.token is not None:
        return plan.few
    within = passing(replace(plan, without_flags=[], without_keys=[]), *KEY)
    most = LOOKED_UP if SORTS[by.sort].measure else GATHERED
    return _count(session, within.limit(most + 1)) <= most


def _gather(session: Session, plan: Plan, by: Order, after: Cursor | None, limit: int | None) -> list[Place]:
    """All that pass, sorted."""
    value = case(plan.layers, value=Latent.analysis_id) if by.sort == "layer" else SORTS[by.sort].sort
    # alike ones by layer: which analysis was stored first is chance where processes wrote them
    ranks = {own: place for place, own in enumerate(plan.layers)}
    owner = Latent.analysis_id if list(ranks) == sorted(ranks) else case(ranks, value=Latent.analysis_id)
    statement = passing(plan, value, *KEY)
    statement = statement.order_by(value.is_(None), *(_toward(column, by) for column in (value, owner, Latent.index)))
    if after is not None:
        place = after.analysis_id if owner is Latent.analysis_id else ranks.get(after.analysis_id, -1)
        statement = statement.where(_beyond(value, owner, by, after, place))
    return [Place(*row) for row in session.execute(statement.limit(limit))]


def _toward(column: Any, by: Order) -> Any:
    return column.desc() if by.descending else column.asc()


def _beyond(value: Any, owner: Any, by: Order, after: Cursor, place: int) -> ColumnElement[bool]:
    later = _further((owner, Latent.index), by, (place, after.index))
    if after.value is None:
        return and_(value.is_(None), later)
    further = value < after.value if by.descending else value > after.value
    return or_(further, and_(value == after.value, later), value.is_(None))


def _further(columns: Sequence[Any], by: Order, after: Sequence[Any]) -> ColumnElement[bool]:
    """As one comparison of rows, which a database looks up in an index."""
    here, there = tuple_(*columns), tuple_(*after)
    return here < there if by.descending else here > there


def _walk(session: Session, plan: Plan, by: Order, after: Cursor | None, limit: int) -> Iterator[Place]:
    """The index of the sort from where the page begins; what has no value comes after all that have one."""
    column = SORTS[by.sort]
    if by.sort == "layer":
        yield from _walk_layers(session, plan, by, after, limit)
        return
    if after is None or after.value is not None:
        if column.measure:
            measured = replace(plan, keys=[with_effect(plan.ids)])
            found = _gather(session, measured, by, after, limit)
        else:
            found = _walk_index(session, plan, by, column.sort, after, limit)
        yield from found
        limit, after = limit - len(found), None
    if limit > 0 and by.sort not in _ALWAYS:
        yield from _walk_missing(session, plan, by, after, limit)


_ALWAYS = {"density", "index"}
"""Sorts of which each latent has the value."""


def _walk_index(session: Session, plan: Plan, by: Order, value: Any, after: Cursor | None, limit: int) -> list[Place]:
    alone = len(plan.layers) == 1 and by.sort in _ALWAYS  # then there is an index within the SAE
    owned = Latent.analysis_id.in_(plan.ids) if alone else checked(plan)
    columns = (Latent.index, Latent.analysis_id) if by.sort == "index" else (value, *KEY)
    statement = select(value, *KEY).where(owned, value.is_not(None), *conditions(plan, by.sort))
    if after is not None:
        known = {value: after.value, Latent.analysis_id: after.analysis_id, Latent.index: after.index}
        statement = statement.where(_further(columns, by, [known[column] for column in columns]))
    rows = session.execute(statement.order_by(*(_toward(column, by) for column in columns)).limit(limit))
    return [Place(*row) for row in rows]


def _walk_missing(session: Session, plan: Plan, by: Order, after: Cursor | None, limit: int) -> Iterator[Place]:
    column = SORTS[by.sort]
    missing = tuple_(*KEY).not_in(with_effect(plan.ids)) if column.measure else column.sort.is_(None)
    statement = select(*KEY).where(Latent.analysis_id.in_(plan.ids), missing, *conditions(plan, by.sort))
    if after is not None:
        statement = statement.where(_further(KEY, by, (after.analysis_id, after.index)))
    rows = session.execute(statement.order_by(*(_toward(own, by) for own in KEY)).limit(limit))
    yield from (Place(None, *row) for row in rows)


def _walk_layers(session: Session, plan: Plan, by: Order, after: Cursor | None, limit: int) -> Iterator[Place]:
    """One SAE after the other."""
    for layer, analysis_id in sorted(((layer, own) for own, layer in plan.layers.items()), reverse=by.descending):
        here = (layer, analysis_id)
        begun = None if after is None else (after.value, after.analysis_id)
        if begun is not None and (here > begun if by.descending else here < begun):
            continue
        statement = select(Latent.index).where(Latent.analysis_id == analysis_id, *conditions(plan, by.sort))
        if after is not None and here == begun:
            statement = statement.where(_further((Latent.index,), by, (after.index,)))
        found = session.scalars(statement.order_by(_toward(Latent.index, by)).limit(limit)).all()
        yield from (Place(layer, analysis_id, index) for index in found)
        limit -= len(found)
        if limit <= 0:
            return


def batches(opened: Opened, plan: Plan, by: Order, size: int) -> Iterator[list[Key]]:
    """The keys of the whole list in order. Few are sorted once, and their keys kept, eight bytes each.

    Args:
        opened: a session for each batch: a slow reader holds no transaction open, and a complete run does not change.
    """
    measured = bool(SORTS[by.sort].measure)
    with opened() as session:
        few = _is_gathered(session, plan, by)
        first = plan if few or not measured else replace(plan, keys=[with_effect(plan.ids)])
        held = _packed(_gather(session, first, by, None, None) if few or measured else [])
    for start in range(0, len(held[0]), size):
        yield list(zip(held[0][start : start + size], held[1][start : start + size], strict=True))
    if not few:
        rest = Cursor(by.sort, by.descending, None, *(_LAST if by.descending else _FIRST)) if measured else None
        yield from _walked(opened, plan, by, rest, size)


_FIRST, _LAST = (-1, -1), (2**31 - 1, 2**31 - 1)
"""Keys before and after all."""


def _walked(opened: Opened, plan: Plan, by: Order, after: Cursor | None, size: int) -> Iterator[list[Key]]:
    while True:
        with opened() as session:
            found = list(_walk(session, plan, by, after, size))
        if not found:
            return
        yield [place.key for place in found]
        after = cursor_of(found[-1], by)


def _packed(places: Iterable[Place]) -> tuple[array[int], array[int]]:
    owners, indices = array("i"), array("i")
    for _value, analysis_id, index in places:
        owners.append(analysis_id)
        indices.append(index)
    return owners, indices


def cursor_of(place: Place, by: Order) -> Cursor:
    """Where the next page begins."""
    return Cursor(by.sort, by.descending, place.value, *place.key)
