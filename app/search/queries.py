"""Search: tokens, promoted tokens and contexts of a run, what people wrote, and their categories.

Tokens and contexts are found by whole words (`store.words`), in SQLite's full-text table or PostgreSQL's vector; notes
and titles of categories as typed, from the rows themselves, so that a note is found the moment it is saved.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, NamedTuple

from pydantic import Field, PlainSerializer, computed_field
from sqlalchemy import ColumnElement, Select, and_, exists, func, or_, select, tuple_
from sqlalchemy.orm import Session, aliased

from app.categories.queries import CategoryInfo, list_categories
from app.latents.profiles import token_lists
from app.saes.queries import SaeInfo
from app.search import terms as asked_for
from app.search.terms import Part, Term
from app.shared.language import N_, Words
from app.shared.links import latent_at, link, pair_at
from app.shared.memory import remembered
from app.shared.record import Hidden, Moment, Record
from store.search import LISTS
from store.tables import Analysis, Annotation, Example, Latent, Run, Sae, SearchText
from store.tables.team import ALONE
from store.words import words, words_of_token

KINDS = Words(
    {
        "token": N_("Top tokens"),
        "promoted": N_("Promoted tokens"),
        "context": N_("Contexts"),
        "note": N_("Notes"),
        "category": N_("Categories"),
    }
)
"""What can be searched: name -> heading."""
DEEPEST = 10_000
"""Hits of a kind that can be paged through."""
SCANNED, RANKED, RANKED_OF_EACH = 500_000, 12_000, 5_000
"""Tokens and contexts that are counted; those that are put in order, of all SAEs and of each at most: what makes a
search as quick in a million latents as in some thousands. A word that more have tells none from the others."""
_TOKENS = 16  # tokens shown of a list, those that match always


def _key_of(category: CategoryInfo | None) -> str | None:
    return category.key if category else None


@dataclass(frozen=True)
class Scope:
    """Where to search."""

    saes: Sequence[SaeInfo]
    """Of the run, or the one asked for: their tokens and contexts."""
    everywhere: bool
    """What people wrote is searched in all SAEs of the store, since no run or SAE was asked for."""


class Hit(Record):
    """What was found: a latent, a pair, or a category. What does not belong to it is null."""

    kind: str = Hidden
    slug: str | None = Field(default=None, serialization_alias="sae")
    layer: int | None = None
    index: int | None = None
    other: int | None = None
    """Of a pair the larger index"""
    density: float | None = None
    parts: list[Part]
    """Of tokens the list's first and all that match, else the text around it"""
    document: str | None = None
    """Where a context comes from"""
    example: str | None = None
    """As which kind of example the latent has the context"""
    others: list[int] = Field(default=[], serialization_alias="also")
    """Further latents of the SAE with the same context among their examples"""
    author: str | None = None
    created: Moment | None = None
    category: Annotated[CategoryInfo | None, PlainSerializer(_key_of, return_type=str | None)] = None
    """Key of the category found"""
    latents: int = Field(default=0, exclude=True)  # and pairs, that people gave the category

    @computed_field(description="Its page")  # type: ignore[prop-decorator]  # mypy knows no such pair
    @property
    def url(self) -> str:
        """Its page, of the newest run."""
        if self.category is not None:
            return link("/latents", {"category": self.category.key, "dense": "any"})
        slug, index = self.slug or "", self.index or 0
        return latent_at(slug, index) if self.other is None else pair_at(slug, index, self.other)

    @property
    def name(self) -> str:
        """Of the latent or pair."""
        return f"{self.index} ⇄ {self.other}" if self.other is not None else str(self.index)


class Group(Record):
    """Hits of one kind, the best first. Pass `kind`, and `next` as `cursor`, for those that follow."""

    kind: str
    """token, promoted, context, note or category"""
    title: str = Hidden
    total: int
    more: bool = False
    """There are more than that: they were not counted to the end"""
    ranked: int = 0
    """Fewer than `total` where so many match that an even part of them stands for all: these were put in order"""
    hits: list[Hit] = Field(serialization_alias="items")
    next: str | None


def search(
    session: Session, scope: Scope, terms: Sequence[Term], kinds: Sequence[str], offset: int, limit: int
) -> list[Group]:
    """What has all the terms, a group a kind. The order is fixed for as long as the store is."""
    if not terms:
        return []
    groups = [_WRITTEN[kind](session, scope, terms, offset, limit) for kind in kinds if kind in _WRITTEN]
    measured = [kind for kind in kinds if kind not in _WRITTEN]
    groups += _measured(session, scope, terms, measured, offset, limit) if measured else []
    return sorted(groups, key=lambda group: list(KINDS).index(group.kind))


def _group(kind: str, hits: list[Hit], total: int, offset: int, ranked: int | None = None, more: bool = False) -> Group:
    end, reached = offset + len(hits), total if ranked is None else ranked
    after = str(end) if hits and end < min(reached, DEEPEST) else None
    return Group(kind=kind, title=KINDS[kind], total=total, more=more, ranked=reached, hits=hits, next=after)


class _Span(NamedTuple):
    """The rows of a kind of one analysis: their ids stand together."""

    kind: str
    first: int
    last: int

    def of(self, ids: list[int]) -> list[int]:
        """Those of some ids, ascending, that are among them."""
        return ids[bisect_left(ids, self.first) : bisect_right(ids, self.last)]


def _measured(
    session: Session, scope: Scope, terms: Sequence[Term], kinds: Sequence[str], offset: int, limit: int
) -> list[Group]:
    """Tokens and contexts. Their ids tell how many there are of each kind; where they are too many to be ranked, an
    even part of them stands for all."""
    saes = {sae.analysis_id: sae for sae in scope.saes}
    spans = [span for own in saes for span in _spans(session, own) if span.kind in kinds]
    if not spans:
        return [_group(kind, [], 0, offset) for kind in kinds]
    first, last = min(span.first for span in spans), max(span.last for span in spans)
    ids = asked_for.matched_ids(session, terms, first, last, SCANNED)
    by_kind = {kind: [one for span in spans if span.kind == kind for one in span.of(ids)] for kind in kinds}
    most = min(RANKED, RANKED_OF_EACH * len(saes))
    if len(ids) > most:  # also where few are of these kinds: to look up how good they are, all would be
        matched = asked_for.chosen(session, _even_part(by_kind, most))
    else:
        matched = asked_for.matched(session, terms, first, last)
    # a sum, so that no planner reads all rows of the analyses instead of looking up those that match
    of_run = (SearchText.analysis_id + 0).in_(saes)
    found = session.execute(_ranked(matched, of_run, kinds, offset, limit)).all()
    groups = []
    for kind in kinds:
        own = [row for row in found if row.kind == kind]
        rows = [row for row in own if row.place > offset]
        hits = (_contexts if kind == "context" else _lists)(session, kind, rows, saes, terms)
        ranked = own[0].total if own else 0
        groups.append(_group(kind, hits, len(by_kind[kind]), offset, ranked, more=len(ids) == SCANNED))
    return groups


def _spans(session: Session, analysis_id: int) -> list[_Span]:
    """Where the rows of an analysis are, by kind; a kind without any is left out."""
    return remembered(session, ("searched", analysis_id), lambda: _read_spans(session, analysis_id))


def _read_spans(session: Session, analysis_id: int) -> list[_Span]:
    # the ends one by one, as the index has them: both in one statement, or grouped, would read all between them
    def end(kind: str, which: Any) -> Any:
        of_kind = (SearchText.analysis_id == analysis_id, SearchText.kind == kind)
        return select(which(SearchText.id)).where(*of_kind).scalar_subquery()

    kinds = (*LISTS, "context")
    ends = session.execute(select(*(end(kind, which) for kind in kinds for which in (func.min, func.max)))).one()
    found = zip(kinds, ends[::2], ends[1::2], strict=True)
    return [_Span(*span) for span in found if span[1] is not None]


def _even_part(by_kind: Mapping[str, list[int]], most: int) -> list[int]:
    """So many ids: all of the kinds that have few, and of the others every so many."""
    left, part = most, list[int]()
    for place, ids in enumerate(sorted(by_kind.values(), key=len)):
        share = left // (len(by_kind) - place)
        taken = ids[:: max(1, -(-len(ids) // share))]
        part, left = part + taken, left - len(taken)
    return part


def _ranked(matched: Any, of_run: ColumnElement[bool], kinds: Sequence[str], offset: int, limit: int) -> Select[Any]:
    """A page of each kind, and its first, which tells how many there are when the page is empty."""
    best = (matched.c.rank, Latent.density.desc(), SearchText.id)
    # what stands behind a row's words is read of those that are shown alone
    all_of_them = (
        select(
            SearchText.id,
            SearchText.kind,
            Latent.density,
            func.row_number().over(partition_by=SearchText.kind, order_by=best).label("place"),
            func.count().over(partition_by=SearchText.kind).label("total"),
        )
        .join(matched, matched.c.id == SearchText.id)
        .join(Latent, (Latent.analysis_id == SearchText.analysis_id) & (Latent.index == SearchText.index))
        .where(of_run, SearchText.kind.in_(kinds))
        .subquery()
    )
    place, own = all_of_them.c.place, aliased(SearchText)
    columns = (own.kind, own.analysis_id, own.index, own.example, own.rank, own.others)
    shown = select(*columns, all_of_them.c.density, place, all_of_them.c.total).join(own, own.id == all_of_them.c.id)
    return shown.where(or_(place.between(offset + 1, offset + limit), place == 1)).order_by(own.kind, place)


def _lists(
    session: Session, kind: str, rows: Sequence[Any], saes: dict[int, SaeInfo], terms: Sequence[Term]
) -> list[Hit]:
    found = token_lists(session, [(row.analysis_id, row.index) for row in rows], LISTS[kind])
    made = []
    for row in rows:
        lists = (found.get((row.analysis_id, row.index, name), []) for name in LISTS[kind])
        tokens = list(dict.fromkeys(item.token for items in lists for item in items))
        made.append(_of_latent(kind, row, saes, _marked(tokens, terms)))
    return made


def _marked(tokens: Sequence[str], terms: Sequence[Term]) -> list[Part]:
    """The list's first tokens, and all that match."""
    marked = [Part(token, bool(asked_for.hits(words_of_token(token), terms))) for token in tokens]
    left = _TOKENS - sum(part.hit for part in marked)
    shown = []
    for part in marked:
        left -= not part.hit
        if part.hit or left >= 0:
            shown.append(part)
    return shown


def _contexts(
    session: Session, kind: str, rows: Sequence[Any], saes: dict[int, SaeInfo], terms: Sequence[Term]
) -> list[Hit]:
    columns = (Example.analysis_id, Example.index, Example.kind, Example.rank)
    keys = [(row.analysis_id, row.index, row.example, row.rank) for row in rows]
    wanted = select(*columns, Example.document, Example.tokens).where(tuple_(*columns).in_(keys))
    texts = {tuple(one[:4]): (one.document, "".join(one.tokens)) for one in session.execute(wanted)} if keys else {}
    made = []
    for row, key in zip(rows, keys, strict=True):
        document, text = texts[key]
        shown = asked_for.snippet(text, asked_for.hits(list(words(text)), terms))
        made.append(_of_latent(kind, row, saes, shown, document=document, example=row.example, others=row.others))
    return made


def _of_latent(kind: str, row: Any, saes: dict[int, SaeInfo], shown: list[Part], **more: Any) -> Hit:
    sae = saes[row.analysis_id]
    return Hit(kind=kind, parts=shown, slug=sae.slug, layer=sae.layer, index=row.index, density=row.density, **more)


def _notes(session: Session, scope: Scope, terms: Sequence[Term], offset: int, limit: int) -> Group:
    """The latest notes, the newest first."""
    has = and_(*(Annotation.note.icontains(term.written, autoescape=True) for term in terms))
    found = _said_in(select(Annotation, Sae.slug, Sae.layer), scope).where(has)
    total = session.scalar(_said_in(select(func.count(Annotation.id)), scope).where(has)) or 0
    page = found.order_by(Annotation.created.desc(), Annotation.id.desc()).offset(offset).limit(limit)
    hits = [
        Hit(
            kind="note",
            parts=asked_for.snippet(row.note, asked_for.hits_as_written(row.note, terms)),
            slug=slug,
            layer=layer,
            index=row.index,
            other=None if row.other == ALONE else row.other,
            author=row.author,
            created=row.created,
        )
        for row, slug, layer in session.execute(page)
    ]
    return _group("note", hits, total, offset)


def _categories(session: Session, scope: Scope, terms: Sequence[Term], offset: int, limit: int) -> Group:
    """Those with all terms in the title."""
    found = [one for one in list_categories(session) if all(asked_for.hits_as_written(one.title, [t]) for t in terms)]
    shown = found[offset : offset + limit]
    counted = _said_in(select(Annotation.category, func.count()), scope)
    counted = counted.where(Annotation.category.in_([one.key for one in shown])).group_by(Annotation.category)
    counts = dict(session.execute(counted).all()) if shown else {}
    hits = [
        Hit(
            kind="category",
            parts=asked_for.parts(one.title, asked_for.hits_as_written(one.title, terms)),
            category=one,
            latents=counts.get(one.key, 0),
        )
        for one in shown
    ]
    return _group("category", hits, len(found), offset)


def _said_in(statement: Any, scope: Scope) -> Any:
    """Of the latest annotations of the SAEs searched; everywhere, of all SAEs that a complete run shows."""
    complete = select(1).select_from(Analysis).join(Run, Run.id == Analysis.run_id)
    shown = exists(complete.where(Analysis.sae_id == Sae.id, Run.status == "complete")).correlate(Sae)
    statement = statement.join(Sae, Sae.sha256 == Annotation.sae_sha256).where(Annotation.latest)
    return statement.where(shown if scope.everywhere else Sae.slug.in_([sae.slug for sae in scope.saes]))


_WRITTEN = {"note": _notes, "category": _categories}
