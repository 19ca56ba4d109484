"""The list of latents: filters as chips and facets, what passes as rows at a glance, and what people said of it."""

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
from app.latents.facet_counts import facet_counts
from app.latents.facets import Chip, Facet, chips, facets
from app.latents.filters import MAX_LIMIT, RunList, SaeList
from app.latents.listing import Total
from app.latents.queries import LatentInfo
from app.latents.row import Histogram, does, goes_with, histogram
from app.runs.queries import RunInfo
from app.saes import queries as saes
from app.saes.queries import SaeInfo
from app.saved_views import queries as views
from app.saved_views.queries import ViewInfo
from app.shared.language import N_, _
from app.shared.links import latent_name, link
from app.shared.page import RunPage
from app.verdicts.queries import VerdictInfo
from app.vocabulary import ANY, HUMAN_VERDICTS, NONE, RULE_VERDICTS
from store.vocabulary import ABLATE

LIST = "/latents"
LONGEST = 400
"""Characters of a note that a tooltip shows."""
NOT_TAKEN_OUT = N_("only dense latents and those with examples are taken out")
PLACE = "layer"
"""It stands in each latent's name."""
AT_A_GLANCE = {"index", "density", "followed", "loss"}
"""Columns that a list shows where they have a value; others where it is sorted or filtered by them."""
FILTERED = {
    "antipodality": ("min_antipodality", "max_antipodality", "pair"),
    "followed": ("min_followed", "max_followed", "min_word_share", "min_past_share"),
}


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
    does: str
    """One line; empty where nothing was looked for."""
    cells: list[tuple[str, str, Cell]]
    """Name of the column, its head, and its value, one a head."""
    classes: list[ScoreInfo]
    """Those it has."""
    follows: list[tuple[str, str]]
    """Labels it goes with, and how much, where rows are listed; in text they are many, and on its page."""
    mirror: int | None
    """The other end of its axis."""
    histogram: Histogram | None
    """Its activations, with those of the other end; None where it is never on."""
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
    chips: list[Chip]
    """What is filtered, each with the list without it."""
    facets: list[Facet]
    """Choices with counts for what is filtered."""
    order: Order
    """How it is sorted."""
    heads: list[Head]
    """Of the columns that have a value."""
    sorts: list[Head]
    """All that it can be sorted by."""
    among: list[SaeInfo]
    """SAEs whose latents it shows."""
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
    among = asked.among(held)
    found = latents.list_latents(session, among, asked, by, asked.after, asked.limit)
    shown = latents.find_shown(session, found.keys)
    ablated = interventions.done(session, run, ABLATE)
    columns = _columns(shown, by, asked)
    begin = asked.sorted_by(by).model_copy(update={"changed": None})
    known, names = list_categories(session), labels.label_names(session, run)
    people = _people(asked, known)
    counts = facet_counts(session, run, held, asked, found.total)

    def to(wanted: RunList) -> str:
        return link(LIST, wanted.query(), pin)

    return BrowsePage(
        title=_("Latents"),
        nav="latents",
        run=run,
        saes=held,
        filters=asked,
        chips=chips(begin, known, to),
        facets=facets(run, held, names, begin, counts, to),
        order=by,
        heads=[_head(column, begin, pin, run) for column in columns],
        sorts=[_head(column, begin, pin, run) for column in columns_of(Where.LIST)],
        among=among,
        rows=_rows(session, run, held, shown, columns, ablated, known),
        ruled=asked.verdict is not None or any(one.verdict for one in shown),
        spoken=people.filtered or any(one.said for one in shown),
        ablated=bool(ablated),
        verdict_choices=[("", _("any or none")), *RULE_VERDICTS.items(), (NONE, _("no verdict"))],
        labels=names,
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


def _columns(shown: Sequence[Shown], by: Order, asked: RunList) -> list[Column]:
    """Those that tell something at a glance and have a value on this page, and those that it is sorted or filtered by:
    of these a dash says what would fill it."""
    set_ones = {column for column, names in FILTERED.items() if any(getattr(asked, name) is not None for name in names)}
    return [
        column
        for column in columns_of(Where.LIST)
        if column.name == by.sort != PLACE
        or (column.name in AT_A_GLANCE | set_ones and any(column.value(one) is not None for one in shown))
    ]


def _head(column: Column, begin: RunList, pin: str, run: RunInfo) -> Head:
    """The active one turns round."""
    by, to = begin.by, Order.natural(column.name)
    if by.sort == column.name:
        to = Order(by.sort, not by.descending)
    state = "" if by.sort != column.name else "descending" if by.descending else "ascending"
    head = "unit" if run.of_rows and column.name == "index" else column.head
    return Head(head, column.statistic, link(LIST, begin.sorted_by(to).query(), pin), state)


def _rows(
    session: Session,
    run: RunInfo,
    held: Sequence[SaeInfo],
    shown: list[Shown],
    columns: list[Column],
    ablated: set[int],
    known: list[CategoryInfo],
) -> list[Row]:
    keys = [(one.latent.analysis_id, one.latent.index) for one in shown]
    kinds = {sae.analysis_id: sae.architecture for sae in held}
    scores = {} if run.of_rows else classes.classes_of(session, keys)
    follows = labels.followed_by(session, keys) if run.of_rows and keys else {}
    return [
        Row(
            one.latent,
            latent_name(one.latent.layer, one.latent.index),
            does(scores.get(key, [])),
            [(column.name, column.head, column.list_cell(one, _why(one, ablated))) for column in columns],
            scores.get(key, []),
            [(label.name, goes_with(label)) for label in follows.get(key, [])],
            None if one.mirror is None else one.mirror.index,
            histogram(one, kinds[key[0]]),
            one.verdict,
            None if one.said is None else said_of(one.said.shortened(LONGEST), known, {}),
        )
        for key, one in zip(keys, shown, strict=True)
    ]


def _why(one: Shown, ablated: set[int]) -> str:
    if one.latent.analysis_id in ablated:
        return NOT_TAKEN_OUT
    return _("not measured: dense-latents ablate --db STORE --sae %(slug)s", slug=one.latent.slug)


def _people(asked: RunList, known: list[CategoryInfo]) -> People:
    chosen = None if asked.category in {None, ANY, NONE} else category_of(asked.category, known)
    set_ones = (asked.category, asked.human, asked.annotated, asked.note)
    return People(known, chosen, list(HUMAN_VERDICTS.items()), any(one is not None for one in set_ones))


def _export(begin: RunList, total: Total, pin: str) -> str:
    if begin.sae is None or not 0 < total.number <= MAX_LIMIT:
        return ""
    same = SaeList.model_construct(**begin.model_dump(include=set(SaeList.model_fields)))
    return link(f"/api/v1/saes/{begin.sae}/latents", same.query(limit=MAX_LIMIT), pin)
