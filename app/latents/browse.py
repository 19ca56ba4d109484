"""The list of latents: what passes, as rows under heads that sort, and what people said of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from app.annotations.panel import Said, said_of
from app.categories.queries import CategoryInfo, category_of, list_categories
from app.classes import queries as classes
from app.classes.groups import class_choices
from app.classes.score import ScoreInfo
from app.interventions import queries as interventions
from app.labels import queries as labels
from app.latents import queries as latents
from app.latents.columns import Cell, Column, Order, Shown, Where, columns_of
from app.latents.filters import MAX_LIMIT, RunList, SaeList
from app.latents.listing import Total
from app.latents.queries import LatentInfo
from app.runs.queries import RunInfo
from app.saes import queries as saes
from app.saes.queries import SaeInfo
from app.saved_views import queries as views
from app.saved_views.queries import ViewInfo
from app.shared.links import latent_name, link
from app.shared.page import RunPage
from app.verdicts.queries import VerdictInfo
from app.vocabulary import ANY, HUMAN_VERDICTS, NONE, RULE_VERDICTS
from store.vocabulary import ABLATE

LIST = "/latents"
LONGEST = 400
"""Characters of a note that a tooltip shows."""
RULED = [("", "any or none"), *RULE_VERDICTS.items(), (NONE, "no verdict")]
NOT_TAKEN_OUT = "only dense latents and those with examples are taken out"


@dataclass(frozen=True)
class Head:
    """A head that sorts."""

    label: str
    term: str
    """Name of the statistic, for its definition."""
    href: str
    active: str
    """"ascending", "descending" or empty, as aria-sort wants it."""


@dataclass(frozen=True)
class Row:
    """A latent of the list."""

    latent: LatentInfo
    name: str
    """L15/1024."""
    cells: list[tuple[str, Cell]]
    """Name of the column and its value, one a head."""
    classes: list[ScoreInfo]
    """Those it has."""
    follows: list[str]
    """Labels it goes with, where rows are listed; in text they are many, and on its page."""
    verdict: VerdictInfo | None
    """By rule."""
    said: Said | None
    """By people."""


@dataclass(frozen=True)
class People:
    """What people can say, and what of it is filtered by."""

    categories: list[CategoryInfo]
    """All, the machine's first."""
    asked: CategoryInfo | None
    """The category that is filtered by, where it is one."""
    verdicts: list[tuple[str, str]]
    """Key and words."""
    filtered: bool
    """Whether what people say is filtered by."""


@dataclass(frozen=True)
class BrowsePage(RunPage):
    """Latents of a run by filter and sort."""

    template = "latents/browse.html"
    saes: list[SaeInfo]
    """Choices of the SAE filter."""
    filters: RunList
    """What is filtered."""
    order: Order
    """How it is sorted."""
    heads: list[Head]
    """Of the columns that have a value."""
    rows: list[Row]
    """This page's latents."""
    ruled: bool
    """Whether the rows say what the rule says."""
    spoken: bool
    """Whether the rows say what people say."""
    ablated: bool
    """Whether latents of the run were taken out."""
    verdict_choices: list[tuple[str, str]]
    """Choices of the verdict filter: value and words."""
    labels: list[str]
    """Choices of the label filter."""
    class_choices: list[tuple[str, str]]
    """Choices of the class filter: value and words."""
    total: Total
    """Latents that pass the filters."""
    next: str
    """Address of the next page; empty on the last."""
    first: str
    """Address of the first page; empty on it."""
    back: str
    """Address of this very page of the list."""
    view: str
    """Address of the list from its first row on: what is saved as a view."""
    among_all: str
    """Address of the same filters among all latents, dense or not."""
    people: People
    """What people can say."""
    changed: int | None
    """Of how many latents something was just said; None where nothing was."""
    saved: list[ViewInfo]
    """Saved views, newest first."""
    export: str
    """Address of the whole list as JSON, which `prune` takes; empty where it is of several SAEs, or too long."""
    densest: float
    """Density of the full bar."""


def browse_page(session: Session, run: RunInfo, asked: RunList, pin: str) -> BrowsePage:
    """The page of the list that `asked` asks for."""
    held, by = saes.list_saes(session, run), asked.by
    found = latents.list_latents(session, asked.among(held), asked, by, asked.after, asked.limit)
    shown = latents.find_shown(session, found.keys)
    ablated = interventions.done(session, run, ABLATE)
    columns = _columns(shown, by, bool(ablated))
    begin = asked.sorted_by(by).model_copy(update={"changed": None})
    known = list_categories(session)
    people = _people(asked, known)
    return BrowsePage(
        title="Latents",
        nav="latents",
        run=run,
        saes=held,
        filters=asked,
        order=by,
        heads=[_head(column, begin, pin) for column in columns],
        rows=_rows(session, run, shown, columns, ablated, known),
        ruled=asked.verdict is not None or any(one.verdict for one in shown),
        spoken=people.filtered or any(one.said for one in shown),
        ablated=bool(ablated),
        verdict_choices=RULED,
        labels=labels.label_names(session, run),
        class_choices=class_choices(session),
        total=found.total,
        next=link(LIST, begin.query(cursor=found.next.encode()), pin) if found.next else "",
        first=link(LIST, begin.query(), pin) if asked.cursor else "",
        back=link(LIST, begin.query(cursor=asked.cursor), pin),
        view=link(LIST, begin.query(), pin),
        among_all=link(LIST, begin.query(dense=None), pin),
        people=people,
        changed=asked.changed,
        saved=views.list_views(session),
        export=_export(begin, found.total, pin),
        densest=max((one.latent.density_high or one.latent.density for one in shown), default=1.0) or 1.0,
    )


def _columns(shown: Sequence[Shown], by: Order, ablated: bool) -> list[Column]:
    """Those that have a value on this page, the one that is sorted by, and of a run of which any latent was taken out
    what that gives: a dash says what would fill it."""
    return [
        column
        for column in columns_of(Where.LIST)
        if column.name == by.sort or (column.measure and ablated) or any(column.value(one) is not None for one in shown)
    ]


def _head(column: Column, begin: RunList, pin: str) -> Head:
    """The active one turns round."""
    by, to = begin.by, Order.natural(column.name)
    if by.sort == column.name:
        to = Order(by.sort, not by.descending)
    state = "" if by.sort != column.name else "descending" if by.descending else "ascending"
    return Head(column.head, column.statistic, link(LIST, begin.sorted_by(to).query(), pin), state)


def _rows(
    session: Session,
    run: RunInfo,
    shown: list[Shown],
    columns: list[Column],
    ablated: set[int],
    known: list[CategoryInfo],
) -> list[Row]:
    keys = [(one.latent.analysis_id, one.latent.index) for one in shown]
    held = {} if run.of_rows else classes.classes_of(session, keys)
    follows = labels.followed_by(session, keys) if run.of_rows and keys else {}
    return [
        Row(
            one.latent,
            latent_name(one.latent.layer, one.latent.index),
            [(column.name, column.list_cell(one, _why(one, ablated))) for column in columns],
            held.get(key, []),
            follows.get(key, []),
            one.verdict,
            None if one.said is None else said_of(one.said.shortened(LONGEST), known, {}),
        )
        for key, one in zip(keys, shown, strict=True)
    ]


def _why(one: Shown, ablated: set[int]) -> str:
    if one.latent.analysis_id in ablated:
        return NOT_TAKEN_OUT
    return f"not measured: dense-latents ablate --db STORE --sae {one.latent.slug}"


def _people(asked: RunList, known: list[CategoryInfo]) -> People:
    chosen = None if asked.category in {None, ANY, NONE} else category_of(asked.category, known)
    set_ones = (asked.category, asked.human, asked.annotated, asked.note)
    return People(known, chosen, list(HUMAN_VERDICTS.items()), any(one is not None for one in set_ones))


def _export(begin: RunList, total: Total, pin: str) -> str:
    if begin.sae is None or not 0 < total.number <= MAX_LIMIT:
        return ""
    same = SaeList.model_construct(**begin.model_dump(include=set(SaeList.model_fields)))
    return link(f"/api/v1/saes/{begin.sae}/latents", same.query(limit=MAX_LIMIT), pin)
