"""Browse, and one latent."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from fastapi.responses import HTMLResponse

from app.classes import queries as classes
from app.deps import Index, RendererDep, RunId, SaeDep, SessionDep
from app.http.cache import Fresh
from app.http.errors import NothingAnalysed
from app.interventions import effects
from app.interventions import queries as interventions
from app.labels import queries as labels
from app.latents import filters as parse
from app.latents import queries as latents
from app.latents.browse import BrowsePage, Column, people_of
from app.latents.page import latent_page, latent_part
from app.latents.queries import Filters, Order
from app.latents.record import read_latent
from app.runs import queries as runs
from app.saes import queries as saes
from app.saved_views import queries as views
from app.shared.links import WHOLE, link
from app.verdicts import queries as verdicts
from app.vocabulary import NONE, RULE_VERDICTS
from store.vocabulary import ABLATE, UNEXPLAINED, UNMEASURED

router = APIRouter(dependencies=[Fresh])
LABELS = {
    "layer": "layer",
    "index": "latent",
    "density": "density",
    "antipodality": "antipodality",
    "mean": "mean",
    "max": "max",
    "mass_share": "mass",
    "loss": "Δ loss",
    "kl": "KL",
}
TERMS = {"loss": "effect_loss", "kl": "effect_kl"}
CHOICES = [
    ("", "any or none"),
    ("any", "any of the six"),
    *classes.CLASSES.items(),
    (UNEXPLAINED, "unexplained"),
    (UNMEASURED, "not measured"),
]

Changed = Annotated[int | None, Query(ge=0, le=parse.MAX_LIMIT, description="Of how many something was just said.")]
RULED = [("", "any or none"), *RULE_VERDICTS.items(), (NONE, "no verdict")]


@router.get("/latents")
def browse(
    session: SessionDep,
    render: RendererDep,
    asked: Annotated[Filters, Depends(parse.run_filters)],
    dense: parse.Yes = None,
    run: RunId = None,
    sort: parse.Sort = "density",
    order: parse.Direction = None,
    cursor: parse.Next = None,
    limit: parse.Limit = 50,
    changed: Changed = None,
) -> HTMLResponse:
    """Latents by filter and sort; dense ones unless asked otherwise."""
    shown, by = runs.run_to_browse(session, asked.sae, run), parse.order(sort or "density", order)
    if shown is None:
        raise NothingAnalysed
    wanted = asked if dense else replace(asked, dense=True)
    found = latents.list_latents(session, shown, wanted, by, parse.cursor(cursor, by), limit)
    keys = [(one.analysis_id, one.index) for one in found.items]
    query = _query(wanted) | {"run": run, "limit": None if limit == 50 else limit}
    sorted_query = {**query, **_sorted(by)}
    page = BrowsePage(
        title="Latents",
        nav="latents",
        run=shown,
        saes=saes.list_saes(session, shown),
        filters=wanted,
        order=by,
        columns=_columns(query, by),
        latents=found.items,
        classes=classes.classes_of(session, keys),
        ablated=interventions.done(session, shown, ABLATE),
        effects=effects.own_effects(session, keys),
        verdicts=verdicts.verdicts_of(session, keys),
        verdict_choices=RULED,
        labels=labels.label_names(session, shown),
        class_choices=CHOICES,
        total=found.total,
        next=link("/latents", {**sorted_query, "cursor": found.next.encode()}) if found.next else "",
        first=link("/latents", sorted_query) if cursor else "",
        back=link("/latents", {**sorted_query, "cursor": cursor}),
        view=link("/latents", sorted_query),
        among_all=link("/latents", {**sorted_query, "dense": "any"}),
        people=people_of(session, keys, wanted),
        changed=changed,
        saved=views.list_views(session),
        export=_export(wanted, by, found.total, run),
        densest=max((latent.density_high or latent.density for latent in found.items), default=1.0) or 1.0,
    )
    return render(page)


def _query(wanted: Filters) -> dict[str, object]:
    """Filters under their names in an address."""
    held: dict[str, object] = asdict(wanted)
    return {"class": held.pop("of_class"), **held, "dense": _dense(wanted)}


def _export(wanted: Filters, by: Order, total: int, run: int | None) -> str:
    if wanted.sae is None or not 0 < total <= parse.MAX_LIMIT:
        return ""
    own = {**_query(wanted), "sae": None, "layer": None, "dense": "true" if wanted.dense else _dense(wanted)}
    return link(f"/api/v1/saes/{wanted.sae}/latents", {**own, **_sorted(by), "run": run, "limit": parse.MAX_LIMIT})


def _dense(wanted: Filters) -> str | None:
    return {True: None, False: "false", None: "any"}[wanted.dense]


def _sorted(by: Order) -> dict[str, str | None]:
    natural = by.descending is (by.sort not in parse.ASCENDING)
    return {
        "sort": None if by.sort == "density" else by.sort,
        "order": None if natural else ("desc" if by.descending else "asc"),
    }


def _columns(query: dict[str, object], by: Order) -> dict[str, Column]:
    """Heads that sort; the active one turns round."""
    made = {}
    for name, label in LABELS.items():
        active = by.sort == name
        to = Order(name, not by.descending if active else name not in parse.ASCENDING)
        state = ("descending" if by.descending else "ascending") if active else ""
        made[name] = Column(name, TERMS.get(name, name), label, link("/latents", {**query, **_sorted(to)}), state)
    return made


@router.get("/saes/{slug:path}/latents/{index}")
def latent(session: SessionDep, render: RendererDep, found: SaeDep, index: Index) -> HTMLResponse:
    """One latent."""
    return render(latent_page(found.run, read_latent(session, found.sae, index), render.pin))


@router.get("/saes/{slug:path}/latents/{index}/parts/{name}")
def part(session: SessionDep, render: RendererDep, found: SaeDep, index: Index, name: str) -> HTMLResponse:
    """What of a latent's page comes when it is asked for, or all of it on one page."""
    record = read_latent(session, found.sae, index)
    if name == WHOLE:
        return render(latent_page(found.run, record, render.pin, whole=True))
    return render(latent_part(found.run, record, render.pin, name))
