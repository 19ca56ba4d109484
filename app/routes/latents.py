"""`/latents` and `/saes/{slug}/latents/{index}`: browse, and one latent."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response
from sqlalchemy.orm import Session

from app import plots
from app.deps import RunId, SessionDep
from app.pages import BrowsePage, LatentView, Shell
from app.queries.examples import find_examples
from app.queries.latents import SORTS, Filters, LatentFacts, LatentPage, find_latent, list_latents, neighbours
from app.queries.pairs import pair_of
from app.queries.profiles import find_profiles
from app.queries.runs import RunFacts
from app.queries.saes import SaeFacts, find_sae, list_saes
from app.rendering import link, respond, shell
from app.routes.filters import filters_from
from app.tinting import is_two_sided, sections, strip, tint_for

router = APIRouter(include_in_schema=False)
DenseChoice = Annotated[Literal["true", "false", "any"], Query()]


@router.get("/latents")
def browse(
    request: Request,
    session: SessionDep,
    filters: Annotated[Filters, Depends(filters_from)],
    dense: DenseChoice = "true",
    run: RunId = None,
) -> Response:
    """A page of latents; the dense ones unless asked otherwise."""
    wanted = replace(filters, dense={"true": True, "false": False, "any": None}[dense])
    return respond(request, session, lambda: browse_page(session, wanted, run))


def browse_page(session: Session, filters: Filters, run_id: int | None) -> BrowsePage:
    """Its content."""
    around = shell(session, "latents", run_id)
    if around.run is None:
        return BrowsePage(around, filters, LatentPage([], None), [], None, None, {}, "/api/v1/saes")
    page = list_latents(session, around.run.id, filters)
    return BrowsePage(
        shell=around,
        filters=filters,
        page=page,
        saes=list_saes(session, around.run.id),
        next_url=browse_url(around, replace(filters, cursor=page.next)) if page.next else None,
        first_url=browse_url(around, replace(filters, cursor=None)) if filters.cursor else None,
        sort_urls={name: browse_url(around, _sorted_by(filters, name)) for name in SORTS},
        api_url=_api_url(around, filters),
    )


@router.get("/saes/{slug:path}/latents/{index}")
def latent(request: Request, session: SessionDep, slug: str, index: int, run: RunId = None) -> Response:
    """One latent."""
    return respond(request, session, lambda: latent_view(session, slug, index, run))


def latent_view(session: Session, slug: str, index: int, run_id: int | None) -> LatentView:
    """Its content."""
    run, sae = find_sae(session, slug, run_id)
    found = find_latent(session, sae.analysis_id, index)
    pair = pair_of(session, sae.analysis_id, index, found.partner)
    mirror = None if found.partner is None else find_latent(session, sae.analysis_id, found.partner)
    own = find_profiles(session, sae.analysis_id, index)
    near = mirror if is_two_sided(found, pair) else None
    theirs = None if near is None else find_profiles(session, sae.analysis_id, near.index)
    tint = tint_for(found, pair)
    previous, following = neighbours(session, sae.analysis_id, found)
    mirrored = None if theirs is None else theirs.histogram
    return LatentView(
        shell=shell(session, "latents", run_id, run.id),
        sae=sae,
        latent=found,
        pair=pair,
        mirror=mirror,
        profiles=own,
        histogram=plots.activation_histogram(found, own.histogram, near, mirrored),
        signed=None if pair is None or near is None else plots.signed_histogram(pair),
        positions=[plots.position_curve(kind, curve, str(index)) for kind, curve in own.positions.items()],
        strip=strip(run.strip, own.strip, None if theirs is None else theirs.strip, tint),
        examples=sections(find_examples(session, sae.analysis_id, index), tint),
        two_sided=tint.two_sided,
        previous=previous,
        next=following,
        ask_detail="" if found.detail else _ask(run, sae, found),
    )


def browse_url(around: Shell, filters: Filters) -> str:
    """The address of a list; what is at its default is left out."""
    default = Filters()
    given = {name: value for name, value in asdict(filters).items() if value != getattr(default, name)}
    given["dense"] = {True: None, False: "false", None: "any"}[filters.dense]
    return link(around, "/latents", **given)


def _sorted_by(filters: Filters, name: str) -> Filters:
    down = not (filters.sort == name and filters.order == "desc")
    return replace(filters, sort=name, order="desc" if down else "asc", cursor=None)


def _api_url(around: Shell, filters: Filters) -> str:
    given = {name: value for name, value in asdict(filters).items() if value != getattr(Filters(), name)}
    path = "/api/v1/latents" if filters.sae is None else f"/api/v1/saes/{given.pop('sae')}/latents"
    return link(around, path, **given)


def _ask(run: RunFacts, sae: SaeFacts, latent: LatentFacts) -> str:
    """The command that would keep examples and profiles of this latent, as this run was made."""
    model, corpus = run.settings.get("model", "MODEL"), run.settings.get("corpus", "CORPUS")
    return (
        f"dense-latents analyze --model {model} --sae {sae.source} --corpus {corpus}"
        f" --tokens {run.tokens} --detail {sae.layer}:{latent.index}"
    )

